use super::*;

fn parse(text: &[u8], keys: Keys) -> Result<Body, Malformed> {
    Body::parse(BodyFormat::Json, keys, Bytes::copy_from_slice(text))
}

fn refusal(text: &[u8]) -> Option<Malformed> {
    parse(text, Keys::Exact).err()
}

fn body(text: &str) -> Body {
    parse(text.as_bytes(), Keys::Folded).unwrap()
}

fn at(text: &str) -> Pointer {
    text.parse().unwrap()
}

#[test]
fn what_is_no_single_json_text_is_refused() {
    for text in [
        &b"{"[..],
        b"}",
        b"{}{}",
        b"{} x",
        b"{}\0",
        b"{},",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"{\"a\":1,}",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{a:1}",
        b"{'a':1}",
        b"{\"a\":1 \"b\":2}",
        b"/**/{}",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"[nul]",
        b"[TRUE]",
        b"[01]",
        b"[+1]",
        b"[.5]",
        b"[5.]",
        b"[1e]",
        b"[0x1]",
        b"[1_000]",
        b"[-]",
        b"[\"a]",
        b"[\"\\x41\"]",
        b"[\"\\u12\"]",
        b"[\"a\nb\"]",
        b"[\"a\0b\"]",
        b"[\"\\ud800\"]",
        b"[\"\\udc00\\ud800\"]",
        b"[\"\\ud800x\"]",
        b"\x0b{}",
        b"\xc2\xa0{}",
        b" ",
        b"{\0\"\0a\0\"\0:\x001\0}\0",
    ] {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(refusal(text), Some(Malformed::Body), "{shown}");
    }
}

#[test]
fn what_is_not_utf_8_is_refused() {
    for text in [
        &b"\xef\xbb\xbf{}"[..],
        b"\xff\xfe{\0}\0",
        b"\xfe\xff\0{\0}",
        b"[\"\xff\"]",
        b"[\"\xc0\xaf\"]",
        b"[\"\xed\xa0\x80\"]",
    ] {
        assert_eq!(refusal(text), Some(Malformed::BodyEncoding), "{text:?}");
    }
}

#[test]
fn a_body_is_an_object_or_an_array() {
    for text in [&b"\"{\\\"run_id\\\":\\\"a\\\"}\""[..], b"1", b"true"] {
        assert_eq!(refusal(text), Some(Malformed::BodyShape));
    }
    for text in [&b""[..], b"null", b"{}", b"[]", b" \t\r\n{ } \n"] {
        assert_eq!(refusal(text), None);
    }
}

#[test]
fn no_key_twice_at_any_depth() {
    let twice = [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"[{"x":{"b":1,"c":2,"b":3}}]"#,
    ];
    for text in twice {
        assert_eq!(refusal(text.as_bytes()), Some(Malformed::DuplicateKey));
    }
    let folded = [
        r#"{"run_id":1,"runId":2}"#,
        r#"{"RUNID":1,"run_id":2}"#,
        r#"{"kind":1,"Kind":2}"#,
        "{\"kind\":1,\"\u{212a}ind\":2}",
        "{\"us\":1,\"u\u{17f}\":2}",
        "{\"\u{df}\":1,\"\u{1e9e}\":2}",
        r#"{"a":{"_x":1,"x":2}}"#,
    ];
    for text in folded {
        let refused = parse(text.as_bytes(), Keys::Folded).err();
        assert_eq!(refused, Some(Malformed::DuplicateKey), "{text}");
        assert_eq!(refusal(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth| [b"[".repeat(depth), b"]".repeat(depth)].concat();
    assert_eq!(refusal(&nested(64)), None);
    assert_eq!(refusal(&nested(65)), Some(Malformed::BodyDepth));
    assert_eq!(refusal(&b"[".repeat(100_000)), Some(Malformed::BodyDepth));
    let maps = [b"{\"a\":".repeat(100_000), b"1".to_vec()].concat();
    assert_eq!(refusal(&maps), Some(Malformed::BodyDepth));
}

#[test]
fn numbers_and_the_order_of_keys_are_forwarded_as_written() {
    let text = r#"{"z":1e400,"a":0.10,"m":-0,"n":123456789012345678901234567890,"o":1E+2,"p":[1.0,5e-324]}"#;
    assert_eq!(body(text).forwarded(), text);
}

#[test]
fn blanks_and_escapes_are_written_in_one_way() {
    let written = body(" { \"\\u0061\" : \"\\u00e9\\/\\u0001\\n\\ud83d\\ude00\" , \"b\":[ ] } ");
    assert_eq!(
        written.forwarded(),
        "{\"a\":\"é/\\u0001\\n\u{1f600}\",\"b\":[]}"
    );
    assert_eq!(body("").forwarded(), "");
    assert_eq!(body("null").forwarded(), "null");
}

#[test]
fn a_pointer_leads_through_objects_and_arrays() {
    let body = body(r#"{"a":{"runId":"x"},"l":[{"id":"1"},{"id":null},{"other":2}],"n":7,"e":[]}"#);
    let text = BodyValue::Text;
    let find = |pointer| body.find(&at(pointer));
    assert_eq!(find("/a/run_id"), Ok(vec![Some(text("x"))]));
    assert_eq!(find("/a/RUN_ID"), Ok(vec![Some(text("x"))]));
    assert_eq!(find("/n"), Ok(vec![Some(BodyValue::Number("7"))]));
    assert_eq!(find("/l"), Ok(vec![Some(BodyValue::Several)]));
    assert_eq!(find("/l/0/id"), Ok(vec![Some(text("1"))]));
    assert_eq!(find("/l/9/id"), Ok(vec![None]));
    assert_eq!(find("/l/*/id"), Ok(vec![Some(text("1")), None, None]));
    assert_eq!(find("/e/*/id"), Ok(vec![]));
    assert_eq!(find("/none/at/all"), Ok(vec![None]));
    for other_kind in ["/n/x", "/a/*", "/a/run_id/x", "/l/id", "/l/00", "/n/*"] {
        assert_eq!(find(other_kind), Err(Malformed::BodyShape), "{other_kind}");
    }
}

#[test]
fn an_empty_body_names_nothing() {
    assert_eq!(body("").find(&at("/a/b")), Ok(vec![None]));
    assert_eq!(body("null").find(&at("/a/*/b")), Ok(vec![None]));
}

#[test]
fn a_value_is_set_where_it_belongs() {
    let set = |text: &str, pointer: &str| {
        let mut body = body(text);
        body.set(&at(pointer), Tree::Text("v".into()))?;
        Ok(String::from_utf8(body.forwarded().to_vec()).unwrap())
    };
    for (text, pointer, written) in [
        ("", "/a", r#"{"a":"v"}"#),
        ("null", "/a/b", r#"{"a":{"b":"v"}}"#),
        (r#"{"z":1}"#, "/a", r#"{"z":1,"a":"v"}"#),
        // The configuration's spelling takes the place of the client's.
        (r#"{"runId":1,"z":2}"#, "/run_id", r#"{"run_id":"v","z":2}"#),
        (r#"{"l":[1]}"#, "/l/-", r#"{"l":[1,"v"]}"#),
        (r#"{"l":null}"#, "/l/-", r#"{"l":["v"]}"#),
        ("{}", "/l/-", r#"{"l":["v"]}"#),
        (r#"{"l":[1,2]}"#, "/l/1", r#"{"l":[1,"v"]}"#),
        (r#"{"l":[{}]}"#, "/l/0/a", r#"{"l":[{"a":"v"}]}"#),
        ("[1]", "/-", r#"[1,"v"]"#),
    ] {
        assert_eq!(set(text, pointer), Ok(written.to_owned()), "{text}");
    }
    for (text, pointer) in [
        (r#"{"a":1}"#, "/a/b"),
        (r#"{"l":"x"}"#, "/l/-"),
        (r#"{"l":[]}"#, "/l/0"),
        (r#"{"l":[]}"#, "/l/x"),
        (r#"{"l":[{}]}"#, "/l/*/a"),
    ] {
        assert_eq!(set(text, pointer), Err(Malformed::BodyShape), "{text}");
    }
}

#[test]
fn a_plain_value_may_stand_where_a_list_is_optional() {
    let found = |text: &str, place: &str| {
        let body = body(text);
        let found = body.find(&at(place));
        found.map(|found| found.iter().map(Option::is_some).collect::<Vec<_>>())
    };
    let place = "/content/*?/id";
    assert_eq!(found(r#"{"content":"text"}"#, place), Ok(vec![false]));
    assert_eq!(
        found(r#"{"content":[{"id":"a"},{}]}"#, place),
        Ok(vec![true, false])
    );
    assert_eq!(found("{}", place), Ok(vec![false]));
    // An object is neither.
    let odd = found(r#"{"content":{"id":"a"}}"#, place);
    assert_eq!(odd, Err(Malformed::BodyShape));
    let strict = found(r#"{"content":"text"}"#, "/content/*/id");
    assert_eq!(strict, Err(Malformed::BodyShape));
}
