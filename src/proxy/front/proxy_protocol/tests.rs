use proptest::prelude::*;

use super::*;

/// Reads as a socket is read: only what belongs to the header. Returns the rest.
fn drive(mut stream: &[u8]) -> Result<(Told, &[u8]), Option<MalformedHeader>> {
    let mut header = Vec::new();
    loop {
        match read(&header).map_err(Some)? {
            Progress::Done(told) => return Ok((told, stream)),
            Progress::More(more) => {
                let (next, rest) = stream.split_at_checked(more).ok_or(None)?;
                header.extend_from_slice(next);
                stream = rest;
            }
        }
    }
}

fn told(header: &[u8]) -> Result<Told, Option<MalformedHeader>> {
    let with_more = [header, b"GET / HTTP/1.1\r\n"].concat();
    let (told, rest) = drive(&with_more)?;
    assert_eq!(rest, b"GET / HTTP/1.1\r\n", "{header:?}");
    Ok(told)
}

fn client(address: &str) -> Told {
    Told::Client(address.parse().unwrap())
}

/// A header of version 2.
fn binary(command: u8, family: u8, variable: &[u8]) -> Vec<u8> {
    let length = u16::try_from(variable.len()).unwrap().to_be_bytes();
    [&SIGNATURE_2[..], &[command, family], &length, variable].concat()
}

const V4: [u8; TCP4] = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 1, 0xbb];

#[test]
fn lines_tell_the_source() {
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443", "192.0.2.1"),
        ("PROXY TCP4 0.0.0.0 0.0.0.0 0 0", "0.0.0.0"),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 65535 1", "2001:db8::1"),
        ("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 1", "192.0.2.1"),
    ] {
        assert_eq!(told(format!("{line}\r\n").as_bytes()), Ok(client(expected)));
    }
    let longest = format!(
        "PROXY TCP6 {0} {0} 65535 65535\r\n",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    );
    assert!(told(longest.as_bytes()).is_ok());
}

#[test]
fn lines_of_unknown_clients_may_say_anything() {
    for line in [
        "PROXY UNKNOWN",
        "PROXY UNKNOWN ffff::1 ffff::2 65535 65535",
        "PROXY UNKNOWN   not an address",
    ] {
        let line = format!("{line}\r\n");
        assert_eq!(told(line.as_bytes()), Ok(Told::Unknown), "{line}");
    }
    let filled = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    assert_eq!(told(filled(MAX_LINE).as_bytes()), Ok(Told::Unknown));
    let too_long = told(filled(MAX_LINE + 1).as_bytes());
    assert_eq!(too_long, Err(Some(MalformedHeader::Length)));
}

#[test]
fn other_lines_are_malformed() {
    for line in [
        "PROXY  TCP4 192.0.2.1 192.0.2.2 56324 443\r\n",
        "PROXY tcp4 192.0.2.1 192.0.2.2 56324 443\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 56324 443\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 1\r\n",
        "PROXY TCP4 192.0.2.1  192.0.2.2 56324 443\r\n",
        "PROXY TCP4 192.0.2.1\t192.0.2.2 56324 443\r\n",
        "PROXY TCP4 192.0.2.01 192.0.2.2 56324 443\r\n",
        "PROXY TCP4 192.0.2 192.0.2.2 56324 443\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 nowhere 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 -443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\n\r\n",
        "PROXY TCP4 192.0.2.1\r192.0.2.2 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.\u{661} 56324 443\r\n",
        "PROXY \r\n\r\n\r\n\r\n",
    ] {
        let malformed = told(line.as_bytes());
        assert_eq!(malformed, Err(Some(MalformedHeader::Line)), "{line}");
    }
    let not_text = told(b"PROXY TCP4 \xff\xff 192.0.2.2 56324 443\r\n");
    assert_eq!(not_text, Err(Some(MalformedHeader::Line)));
}

#[test]
fn what_is_no_header_is_told_at_once() {
    for start in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"proxy TCP4 1",
        b"PROXYTCP4 1.",
        b"\r\n\r\n\0\r\nQUIT\r",
        b"\r\n\r\n\x01\r\nQUIT\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\0",
    ] {
        assert_eq!(told(start), Err(Some(MalformedHeader::Signature)));
    }
}

#[test]
fn binary_headers_tell_the_source() {
    assert_eq!(told(&binary(0x21, 0x11, &V4)), Ok(client("192.0.2.1")));
    let mut v6 = [0; TCP6];
    v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    v6[15] = 1;
    assert_eq!(told(&binary(0x21, 0x21, &v6)), Ok(client("2001:db8::1")));
    let extended = [&V4[..], b"\x04\0\x04\0\0\0\0\x20\0\x02ab"].concat();
    assert_eq!(
        told(&binary(0x21, 0x11, &extended)),
        Ok(client("192.0.2.1"))
    );
    let longest = [&V4[..], &[0; MAX_VARIABLE - TCP4]].concat();
    assert_eq!(told(&binary(0x21, 0x11, &longest)), Ok(client("192.0.2.1")));
}

#[test]
fn local_connections_are_the_proxys_own_whatever_they_tell() {
    for (family, variable) in [(0x00, &[][..]), (0x11, &V4), (0x11, &[1]), (0xff, &V4)] {
        assert_eq!(told(&binary(0x20, family, variable)), Ok(Told::Itself));
    }
}

#[test]
fn clients_without_an_address_are_unknown() {
    for (family, variable) in [(0x00, &[][..]), (0x00, &V4), (0x31, &[b'x'; UNIX])] {
        assert_eq!(told(&binary(0x21, family, variable)), Ok(Told::Unknown));
    }
}

#[test]
fn other_binary_headers_are_malformed() {
    use MalformedHeader::{Addresses, Command, Family, Length};
    for (command, family, variable, expected) in [
        (0x11, 0x11, &V4[..], Command),
        (0x31, 0x11, &V4, Command),
        (0x22, 0x11, &V4, Command),
        (0x2f, 0x11, &V4, Command),
        (0x21, 0x12, &V4, Family),
        (0x21, 0x22, &[0; TCP6], Family),
        (0x21, 0x32, &[0; UNIX], Family),
        (0x21, 0x10, &V4, Family),
        (0x21, 0x01, &V4, Family),
        (0x21, 0x41, &V4, Family),
        (0x21, 0x13, &V4, Family),
        (0x21, 0x11, &V4[1..], Addresses),
        (0x21, 0x11, &[], Addresses),
        (0x21, 0x21, &[0; TCP6 - 1], Addresses),
        (0x21, 0x31, &[0; UNIX - 1], Addresses),
        (0x21, 0x11, &[0; MAX_VARIABLE + 1], Length),
        (0x20, 0x00, &[0; MAX_VARIABLE + 1], Length),
    ] {
        let malformed = told(&binary(command, family, variable));
        assert_eq!(malformed, Err(Some(expected)), "{command:x} {family:x}");
    }
}

#[test]
fn what_is_cut_short_is_waited_for() {
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
    for header in [&line[..], &binary(0x21, 0x11, &V4)] {
        for end in 0..header.len() {
            assert_eq!(drive(&header[..end]), Err(None), "{:?}", &header[..end]);
        }
        assert!(drive(header).is_ok());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for start in [&b""[..], SIGNATURE_1, SIGNATURE_2, b"PROXY TCP4 1.1.1.1 "] {
            let stream = [start, &bytes].concat();
            if let Ok((_, rest)) = drive(&stream) {
                let header = &stream[..stream.len() - rest.len()];
                prop_assert!(header.len() <= FIXED + MAX_VARIABLE);
                prop_assert!(header.starts_with(SIGNATURE_2) || header.ends_with(b"\r\n"));
            }
        }
    }

    #[test]
    fn what_a_proxy_writes_is_read(source: IpAddr, destination: IpAddr, ports: [u16; 2], tail: Vec<u8>) {
        let (family, destination) = match (source, destination) {
            (IpAddr::V4(_), _) => ("TCP4", IpAddr::from([192, 0, 2, 2])),
            (_, IpAddr::V6(destination)) => ("TCP6", IpAddr::V6(destination)),
            (_, IpAddr::V4(destination)) => ("TCP6", IpAddr::V6(destination.to_ipv6_mapped())),
        };
        let [from, to] = ports;
        let line = format!("PROXY {family} {source} {destination} {from} {to}\r\n");
        let stream = [line.as_bytes(), &tail].concat();
        prop_assert_eq!(drive(&stream), Ok((Told::Client(source.to_canonical()), &tail[..])));
        let (family, mut addresses) = match source {
            IpAddr::V4(source) => (0x11, source.octets().to_vec()),
            IpAddr::V6(source) => (0x21, source.octets().to_vec()),
        };
        addresses.resize(if family == 0x11 { TCP4 } else { TCP6 }, 7);
        let stream = [&binary(0x21, family, &addresses), &tail[..]].concat();
        prop_assert_eq!(drive(&stream), Ok((Told::Client(source.to_canonical()), &tail[..])));
    }
}
