use super::*;

fn parse(text: &str) -> Vec<String> {
    let patterns = Pattern::parse_all(text).unwrap();
    patterns.iter().map(ToString::to_string).collect()
}

fn one(text: &str) -> Pattern {
    Pattern::parse_all(text).unwrap().remove(0)
}

fn matches(pattern: &str, path: &str) -> bool {
    let (segments, trailing_slash) = split(path);
    one(pattern).matches(&PathRef {
        segments: &segments,
        trailing_slash,
    })
}

fn split(path: &str) -> (Vec<&str>, bool) {
    let segments = path.split('/').filter(|s| !s.is_empty()).collect();
    (segments, path.ends_with('/'))
}

#[test]
fn a_pattern_is_written_as_it_was_read() {
    for text in [
        "/",
        "/health",
        "/health/",
        "/models/{name}/versions/{version}",
        "/v1beta/models/{endpoint}:generateContent",
        "/files/{path...}",
        "/files/{path...}/",
        "/a/v{n}.json",
    ] {
        assert_eq!(parse(text), [text]);
    }
}

#[test]
fn alternatives_multiply() {
    assert_eq!(
        parse("/(api|ajax-api)/2.0/(a|b)"),
        [
            "/api/2.0/a",
            "/ajax-api/2.0/a",
            "/api/2.0/b",
            "/ajax-api/2.0/b"
        ]
    );
}

#[test]
fn what_is_no_pattern_is_refused_with_its_reason() {
    use PatternError as E;
    let of = |text: &str| text.to_owned();
    for (text, error) in [
        ("", E::NoLeadingSlash),
        ("models", E::NoLeadingSlash),
        ("//", E::EmptySegment),
        ("/a//b", E::EmptySegment),
        ("/a/../b", E::DotSegment(of(".."))),
        ("/a%20b", E::BadCharacter('%')),
        ("/a?b=1", E::BadCharacter('?')),
        ("/<name>", E::BadCharacter('<')),
        ("/a b", E::BadCharacter(' ')),
        ("/a;b", E::BadCharacter(';')),
        ("/a/*", E::Star),
        ("/a/:id", E::ColonName(of(":id"))),
        ("/{name", E::UnbalancedBraces(of("{name"))),
        ("/name}", E::UnbalancedBraces(of("name}"))),
        ("/}{name}", E::UnbalancedBraces(of("}{name}"))),
        ("/{}", E::BadName(of(""))),
        ("/{a-b}", E::BadName(of("a-b"))),
        ("/{...}", E::BadName(of(""))),
        ("/{a}{b}", E::TwoParams(of("{a}{b}"))),
        ("/{a}/{a}", E::DuplicateName(of("a"))),
        ("/{a...}/b", E::TailNotLast(of("a"))),
        ("/v{a...}", E::AffixedTail(of("a"))),
        ("/(a|b", E::BadAlternation(of("(a|b"))),
        ("/x(a|b)", E::BadAlternation(of("x(a|b)"))),
        ("/(a|)", E::BadAlternation(of("(a|)"))),
        ("/(a|a)", E::BadAlternation(of("(a|a)"))),
        ("/({a}|b)", E::BadAlternation(of("({a}|b)"))),
    ] {
        assert_eq!(Pattern::parse_all(text), Err(error), "{text}");
    }
    assert_eq!(Pattern::parse_all(&"/a".repeat(65)), Err(E::TooLong));
    assert_eq!(
        Pattern::parse_all(&"/(a|b)".repeat(7)),
        Err(E::TooManyAlternatives)
    );
}

#[test]
fn values_are_never_empty_and_tails_have_a_segment() {
    assert!(matches("/{x}:go", "/a:go"));
    assert!(!matches("/{x}:go", "/:go"));
    assert!(!matches("/aa{x}aa", "/aaa"));
    assert!(matches("/f/{t...}", "/f/a/b"));
    assert!(!matches("/f/{t...}", "/f"));
}

#[test]
fn the_trailing_slash_and_the_case_matter() {
    assert!(matches("/", "/"));
    assert!(!matches("/a", "/a/"));
    assert!(!matches("/a/", "/a"));
    assert!(!matches("/f/{t...}", "/f/a/"));
    assert!(!matches("/a", "/A"));
}

#[test]
fn captures_borrow_but_for_a_long_tail() {
    let (segments, trailing_slash) = split("/m/x:go/a/b");
    let path = PathRef {
        segments: &segments,
        trailing_slash,
    };
    let pattern = one("/m/{e}:go/{rest...}");
    assert!(matches!(
        pattern.capture("e", &path),
        Some(Cow::Borrowed("x"))
    ));
    assert_eq!(pattern.capture("rest", &path).unwrap(), "a/b");
    assert_eq!(pattern.capture("other", &path), None);
}

#[test]
fn specificity_is_a_partial_order() {
    let within = |a: &str, b: &str| one(a).is_within(&one(b));
    let chain = ["/a/b:go", "/a/{x}:go", "/a/{x}", "/a/{t...}", "/{t...}"];
    for pair in chain.windows(2) {
        assert!(within(pair[0], pair[1]), "{pair:?}");
        assert!(!within(pair[1], pair[0]), "{pair:?}");
    }
    assert!(!within("/a/{x}", "/{y}/b") && !within("/{y}/b", "/a/{x}"));
    assert!(!within("/a", "/a/"));
}

#[test]
fn reserved_prefixes_are_known() {
    for text in [
        "/.portcullis",
        "/.portcullis/x",
        "/.well-known/portcullis/jwks.json",
    ] {
        assert!(one(text).is_reserved(), "{text}");
    }
    assert!(!one("/.well-known/openid-configuration").is_reserved());
}
