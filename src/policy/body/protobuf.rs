//! Messages in the wire format of Protocol Buffers, alone or framed by gRPC.
//!
//! Only texts, bytes and truth values are read of them, by the numbers of their fields; the message passes
//! unchanged, so whatever two readers could take differently is refused.

use super::super::{Malformed, Pointer, PointerSegment};
use super::BodyValue;

/// Before a gRPC message: whether it is compressed, and how long it is.
const PREFIX: usize = 5;
/// As the last step of a pointer: the bytes of the field, in hexadecimal; with a number
/// behind, exactly so many bytes.
const HEX: &str = "hex";

/// The message in a gRPC body that is exactly one, uncompressed.
pub(super) fn framed(body: &[u8]) -> Result<&[u8], Malformed> {
    let (prefix, message) = body.split_at_checked(PREFIX).ok_or(Malformed::Body)?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    let whole = usize::try_from(length).is_ok_and(|length| length == message.len());
    if prefix[0] != 0 || !whole {
        return Err(Malformed::Body);
    }
    whole_message(message)
}

/// A body that is a message and nothing else.
pub(super) fn whole_message(message: &[u8]) -> Result<&[u8], Malformed> {
    fields(message).try_for_each(|field| field.map(drop))?;
    Ok(message)
}

/// What the pointer leads to; `*` behind a number is each that the field has.
pub(super) fn find<'b>(
    message: &'b [u8],
    pointer: &Pointer,
) -> Result<Vec<Option<BodyValue<'b>>>, Malformed> {
    let mut found = Vec::new();
    walk(Value::Bytes(message), pointer.segments(), &mut found)?;
    Ok(found)
}

fn walk<'b>(
    value: Value<'b>,
    steps: &[PointerSegment],
    found: &mut Vec<Option<BodyValue<'b>>>,
) -> Result<(), Malformed> {
    let Some((step, rest)) = steps.split_first() else {
        found.push(value.read()?);
        return Ok(());
    };
    let (PointerSegment::Key(number), Value::Bytes(value)) = (step, value) else {
        return Err(Malformed::BodyShape);
    };
    if let (Some(length), []) = (number.strip_prefix(HEX), rest) {
        found.push(bytes_of(value, length)?);
        return Ok(());
    }
    let number = number.parse().map_err(|_| Malformed::BodyShape)?;
    let values = occurrences(value, number)?;
    match rest {
        [PointerSegment::Each, rest @ ..] => values
            .into_iter()
            .try_for_each(|value| walk(value, rest, found)),
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

/// Some readers pad or cut an id of another length, and so read another one.
fn bytes_of<'b>(value: &'b [u8], length: &str) -> Result<Option<BodyValue<'b>>, Malformed> {
    let fits = match length {
        "" => true,
        length => length.parse() == Ok(value.len()),
    };
    if value.is_empty() {
        return Ok(None);
    }
    fits.then_some(Some(BodyValue::Bytes(value)))
        .ok_or(Malformed::ResourceId)
}

fn occurrences(message: &[u8], number: u64) -> Result<Vec<Value<'_>>, Malformed> {
    let fields = fields(message);
    let wanted = fields.filter_map(|field| match field {
        Ok(field) => (field.number == number).then_some(Ok(field.value)),
        Err(malformed) => Some(Err(malformed)),
    });
    wanted.collect()
}

struct Field<'b> {
    number: u64,
    value: Value<'b>,
}

#[derive(Clone, Copy)]
enum Value<'b> {
    /// Length-delimited.
    Bytes(&'b [u8]),
    Varint(u64),
    Fixed,
}

impl<'b> Value<'b> {
    fn read(self) -> Result<Option<BodyValue<'b>>, Malformed> {
        match self {
            Self::Bytes(bytes) => {
                let text = std::str::from_utf8(bytes).map_err(|_| Malformed::BodyEncoding)?;
                // An empty text is what the format leaves out.
                Ok((!text.is_empty()).then_some(BodyValue::Text(text)))
            }
            Self::Varint(0) => Ok(Some(BodyValue::Bool(false))),
            Self::Varint(1) => Ok(Some(BodyValue::Bool(true))),
            Self::Varint(_) | Self::Fixed => Err(Malformed::BodyShape),
        }
    }
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
    let value = match tag & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => {
            take(rest, 8)?;
            Value::Fixed
        }
        2 => {
            let length = varint(rest)?;
            Value::Bytes(take(rest, usize::try_from(length).ok()?)?)
        }
        5 => {
            take(rest, 4)?;
            Value::Fixed
        }
        // Groups, which are not written any more.
        _ => return None,
    };
    Some(Field { number, value })
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
        let found = find(super::framed(body)?, &pointer.parse().unwrap())?;
        let text = |value| match value {
            BodyValue::Text(text) => text.to_owned(),
            other => format!("{other:?}"),
        };
        Ok(found.into_iter().map(|value| value.map(text)).collect())
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
        assert_eq!(read(&body, "/2/hex"), one("Bytes([98, 99])"));
        assert_eq!(read(&body, "/9/hex"), Ok(vec![None]));
        assert_eq!(read(&body, "/2/hex2"), one("Bytes([98, 99])"));
        for other in ["/2/hex1", "/2/hex3", "/2/hexes"] {
            assert_eq!(read(&body, other), Err(Malformed::ResourceId), "{other}");
        }
    }

    #[test]
    fn truth_values_are_0_and_1() {
        let one = |text: &str| Ok(vec![Some(text.to_owned())]);
        assert_eq!(read(&framed(b"\x08\x00"), "/1"), one("Bool(false)"));
        assert_eq!(read(&framed(b"\x08\x01"), "/1"), one("Bool(true)"));
        assert_eq!(read(&framed(b"\x08\x02"), "/1"), Err(Malformed::BodyShape));
        assert_eq!(
            read(&framed(b"\x08\x01"), "/1/1"),
            Err(Malformed::BodyShape)
        );
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
