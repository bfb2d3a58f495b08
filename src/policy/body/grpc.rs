//! One gRPC message: five bytes before it, and the wire format of Protocol Buffers.
//!
//! Only texts are read of it, by the numbers of their fields; the bytes pass unchanged, so
//! whatever two readers could take differently is refused.

use super::super::{Malformed, Pointer, PointerSegment};

/// Whether it is compressed, and how long it is.
const PREFIX: usize = 5;

/// The message in a body that is exactly one, uncompressed.
pub(super) fn message(body: &[u8]) -> Result<&[u8], Malformed> {
    let (prefix, message) = body.split_at_checked(PREFIX).ok_or(Malformed::Body)?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    let whole = usize::try_from(length).is_ok_and(|length| length == message.len());
    if prefix[0] != 0 || !whole {
        return Err(Malformed::Body);
    }
    fields(message).try_for_each(|field| field.map(drop))?;
    Ok(message)
}

/// The texts that the pointer leads to; `*` behind a number is each that the field has.
pub(super) fn find<'b>(
    message: &'b [u8],
    pointer: &Pointer,
) -> Result<Vec<Option<&'b str>>, Malformed> {
    let mut found = Vec::new();
    walk(message, pointer.segments(), &mut found)?;
    Ok(found)
}

fn walk<'b>(
    value: &'b [u8],
    steps: &[PointerSegment],
    found: &mut Vec<Option<&'b str>>,
) -> Result<(), Malformed> {
    let Some((step, rest)) = steps.split_first() else {
        let text = std::str::from_utf8(value).map_err(|_| Malformed::BodyEncoding)?;
        // An empty text is what the format leaves out.
        found.push((!text.is_empty()).then_some(text));
        return Ok(());
    };
    let PointerSegment::Key(number) = step else {
        return Err(Malformed::BodyShape);
    };
    let number = number.parse().map_err(|_| Malformed::BodyShape)?;
    let values = occurrences(value, number)?;
    match rest {
        [PointerSegment::Each, rest @ ..] => {
            values.iter().try_for_each(|value| walk(value, rest, found))
        }
        rest => match values[..] {
            [] => {
                found.push(None);
                Ok(())
            }
            [value] => walk(value, rest, found),
            // Some readers take the last, some join them.
            _ => Err(Malformed::DuplicateKey),
        },
    }
}

fn occurrences(message: &[u8], number: u64) -> Result<Vec<&[u8]>, Malformed> {
    let mut values = Vec::new();
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            values.push(field.bytes.ok_or(Malformed::BodyShape)?);
        }
    }
    Ok(values)
}

struct Field<'b> {
    number: u64,
    /// Of a length-delimited field.
    bytes: Option<&'b [u8]>,
}

/// The fields of a message, to its end or the first mistake.
fn fields(message: &[u8]) -> impl Iterator<Item = Result<Field<'_>, Malformed>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field.ok_or(Malformed::Body))
    })
}

fn field<'b>(rest: &mut &'b [u8]) -> Option<Field<'b>> {
    const MOST: u64 = (1 << 29) - 1;
    let tag = varint(rest)?;
    let number = tag >> 3;
    if number == 0 || number > MOST {
        return None;
    }
    let bytes = match tag & 7 {
        0 => {
            varint(rest)?;
            None
        }
        1 => {
            take(rest, 8)?;
            None
        }
        2 => {
            let length = varint(rest)?;
            Some(take(rest, usize::try_from(length).ok()?)?)
        }
        5 => {
            take(rest, 4)?;
            None
        }
        // Groups, which are not written any more.
        _ => return None,
    };
    Some(Field { number, bytes })
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

/// A number in the shortest of its spellings.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for at in 0..10 {
        let byte = *rest.get(at)?;
        let bits = u64::from(byte & 0x7f);
        number |= bits.checked_shl(7 * u32::try_from(at).ok()?)?;
        if byte < 0x80 {
            let shortest = at == 0 || byte != 0;
            let fits = at < 9 || byte == 1;
            *rest = &rest[at + 1..];
            return (shortest && fits).then_some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap();
        [&[0][..], &length.to_be_bytes(), message].concat()
    }

    fn read(body: &[u8], pointer: &str) -> Result<Vec<Option<String>>, Malformed> {
        let found = find(message(body)?, &pointer.parse().unwrap())?;
        Ok(found
            .into_iter()
            .map(|text| text.map(str::to_owned))
            .collect())
    }

    #[test]
    fn texts_are_found_by_number() {
        let inner = b"\x0a\x01x\x12\x01y";
        let nested = [b"\x0a\x01a\x12\x02bc\x18\x07\x22\x06", &inner[..]].concat();
        let body = framed(&nested);
        let one = |text: &str| Ok(vec![Some(text.to_owned())]);
        assert_eq!(read(&body, "/1"), one("a"));
        assert_eq!(read(&body, "/2"), one("bc"));
        assert_eq!(read(&body, "/4/2"), one("y"));
        assert_eq!(read(&body, "/9"), Ok(vec![None]));
        assert_eq!(read(&body, "/9/1"), Ok(vec![None]));
        assert_eq!(read(&body, "/3"), Err(Malformed::BodyShape));
        assert_eq!(read(&framed(b""), "/1"), Ok(vec![None]));
    }

    #[test]
    fn a_field_that_occurs_twice_is_two_readings() {
        let body = framed(b"\x0a\x01a\x0a\x01b");
        assert_eq!(read(&body, "/1"), Err(Malformed::DuplicateKey));
        let both = ["a", "b"].map(|text| Some(text.to_owned()));
        assert_eq!(read(&body, "/1/*"), Ok(both.to_vec()));
        assert_eq!(read(&body, "/2"), Ok(vec![None]));
    }

    #[test]
    fn what_is_no_single_message_is_refused() {
        let whole = framed(b"\x0a\x01a");
        let mut compressed = whole.clone();
        compressed[0] = 1;
        let cases: [&[u8]; 12] = [
            b"",
            b"\0\0\0\0",
            &whole[..whole.len() - 1],
            &[&whole[..], b"\0"].concat(),
            &[&whole[..], &whole].concat(),
            &compressed,
            &framed(b"\x02\x01a"),
            &framed(b"\x0a\x05a"),
            &framed(b"\x8a\x00\x01a"),
            &framed(b"\x0a\x81\x00a"),
            &framed(b"\x0b\x0c"),
            &framed(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
        ];
        for body in cases {
            assert_eq!(read(body, "/1"), Err(Malformed::Body), "{body:?}");
        }
        let largest = framed(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(read(&largest, "/2"), Ok(vec![None]));
        assert_eq!(
            read(&framed(b"\x0a\x01\xff"), "/1"),
            Err(Malformed::BodyEncoding)
        );
    }
}
