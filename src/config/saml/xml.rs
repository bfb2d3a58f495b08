//! XML from outside: bounded, and without what makes it mean two things.
//!
//! Two libraries read what a signature is over, one to verify it and one for what it says. What
//! they might read differently is refused before either looks: document types, other encodings,
//! and in messages comments and processing instructions too.

use roxmltree::{Document, Node, NodeType, ParsingOptions};

/// Deepest element.
const DEEPEST: usize = 32;
/// Most nodes.
const MOST_NODES: u32 = 50_000;

/// Most declarations of namespaces. The parser has each element that declares one copy all that are
/// in force, so their number is what its time grows with.
const MOST_DECLARATIONS: usize = 200;
/// Most attributes of one element, which are held against each other.
const MOST_ATTRIBUTES: usize = 100;

/// Why XML is not read.
#[derive(Debug, thiserror::Error)]
pub enum XmlError {
    /// Nobody needs so much.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// Not UTF-8, or said not to be.
    #[error("it is not XML 1.0 in UTF-8")]
    Encoding,
    /// As the parser says.
    #[error("it is no XML: {0}")]
    Malformed(#[from] roxmltree::Error),
    /// Nobody nests so much.
    #[error("it is nested deeper than {DEEPEST} elements")]
    TooDeep,
    /// Nobody needs so many.
    #[error("it has too many namespaces or attributes")]
    Crowded,
    /// They hide things from one reader that another one sees.
    #[error("it has comments or processing instructions")]
    Hidden,
}

/// The text without its XML declaration, which may say UTF-8 only.
///
/// # Errors
///
/// `TooLong`, `Encoding`.
pub fn text(bytes: &[u8], most: usize) -> Result<&str, XmlError> {
    if bytes.len() > most {
        return Err(XmlError::TooLong(most));
    }
    let text = str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let Some(rest) = text.strip_prefix("<?xml") else {
        return Ok(text);
    };
    let (said, rest) = rest.split_once("?>").ok_or(XmlError::Encoding)?;
    let said = said.to_ascii_lowercase().replace('\'', "\"");
    let mut words = said.split_ascii_whitespace();
    let is_plain = words.all(|word| {
        matches!(
            word,
            "version=\"1.0\"" | "encoding=\"utf-8\"" | "standalone=\"yes\"" | "standalone=\"no\""
        )
    });
    if is_plain {
        Ok(rest)
    } else {
        Err(XmlError::Encoding)
    }
}

/// A tree of it.
///
/// # Errors
///
/// `Crowded`, `Malformed` (a document type is, too), `TooDeep`.
pub fn tree(text: &str) -> Result<Document<'_>, XmlError> {
    if is_crowded(text) {
        return Err(XmlError::Crowded);
    }
    let options = ParsingOptions {
        nodes_limit: MOST_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options)?;
    if is_deeper(document.root(), DEEPEST) {
        return Err(XmlError::TooDeep);
    }
    Ok(document)
}

/// A tree of a message.
///
/// # Errors
///
/// As [`tree`]; `Hidden`.
pub fn message(text: &str) -> Result<Document<'_>, XmlError> {
    let document = tree(text)?;
    let hides = |node: Node<'_, '_>| matches!(node.node_type(), NodeType::Comment | NodeType::PI);
    if document.descendants().any(hides) {
        return Err(XmlError::Hidden);
    }
    Ok(document)
}

/// By what is there to be parsed: afterwards is too late.
fn is_crowded(text: &str) -> bool {
    let declarations = text.matches("xmlns").take(MOST_DECLARATIONS + 1).count();
    let crowd = |tag: &str| {
        let values = tag.split('=').skip(1);
        let quoted = values.filter(|value| value.trim_start().starts_with(['"', '\'']));
        quoted.take(MOST_ATTRIBUTES + 1).count() > MOST_ATTRIBUTES
    };
    declarations > MOST_DECLARATIONS || text.split('<').any(crowd)
}

/// By levels: a stack of calls would be as deep as somebody likes.
fn is_deeper(root: Node<'_, '_>, most: usize) -> bool {
    let mut level: Vec<_> = root.children().collect();
    for _ in 0..most {
        level = level.iter().flat_map(Node::children).collect();
        if level.is_empty() {
            return false;
        }
    }
    true
}

/// The child elements of this name.
pub fn children<'a, 'i>(
    of: Node<'a, 'i>,
    namespace: &'static str,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    of.children()
        .filter(move |node| node.has_tag_name((namespace, name)))
}

/// The one child element of this name; `None` if there is none or more.
#[must_use]
pub fn only<'a, 'i>(
    of: Node<'a, 'i>,
    namespace: &'static str,
    name: &'static str,
) -> Option<Node<'a, 'i>> {
    let mut all = children(of, namespace, name);
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// The text of an element that holds nothing else.
#[must_use]
pub fn text_of(of: Node<'_, '_>) -> Option<String> {
    let mut said = String::new();
    for child in of.children() {
        if !child.is_text() {
            return None;
        }
        said.push_str(child.text()?);
    }
    Some(said.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_might_read_differently_is_not_read() {
        assert!(text(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>", 99).is_ok());
        for bad in [
            &b"<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>"[..],
            b"<?xml version=\"1.1\"?><a/>",
            b"<?xml encoding = \"UTF-16\"?><a/>",
            b"<?xml version=\"1.0\"",
            b"\xff\xfe<\0a\0/\0>\0",
            b"<a>\xe9</a>",
        ] {
            assert!(text(bad, 99).is_err(), "{bad:?}");
        }
        assert!(matches!(text(b"<a/>", 3), Err(XmlError::TooLong(3))));
        assert!(tree("<!DOCTYPE a []><a/>").is_err());
        assert!(tree("<a/><a/>").is_err());
        assert!(message("<a>b<!-- c --></a>").is_err());
        assert!(message("<a><?b c?></a>").is_err());
        assert!(message("<a>&#60;b/></a>").is_ok());
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(tree(&nested(DEEPEST)).is_ok());
        assert!(matches!(tree(&nested(DEEPEST + 1)), Err(XmlError::TooDeep)));
        assert!(tree(&nested(40_000)).is_err());
        assert!(tree(&"<a>".repeat(300_000)).is_err());
    }

    #[test]
    fn what_would_take_long_to_parse_is_not_parsed() {
        use std::fmt::Write as _;
        let root = |names: usize| {
            let mut text = "<r".to_owned();
            for name in 0..names {
                write!(text, " xmlns:n{name} = 'u'").unwrap();
            }
            text + ">"
        };
        let many = format!("{}{}</r>", root(90), "<b xmlns:m='v'/>".repeat(100));
        assert!(tree(&many).is_ok());
        let more = format!("{}{}</r>", root(90), "<b xmlns:m='v'/>".repeat(111));
        assert!(matches!(tree(&more), Err(XmlError::Crowded)));
        assert!(matches!(
            tree(&(root(101) + "</r>")),
            Err(XmlError::Crowded)
        ));
        let mut one = "<r".to_owned();
        for name in 0..101 {
            write!(one, " a{name}\n=\n\"=\"").unwrap();
        }
        assert!(matches!(tree(&(one + "/>")), Err(XmlError::Crowded)));
        let base64 = format!("<r>{}</r>", "QUJD==\n".repeat(1000));
        assert!(tree(&base64).is_ok());
    }

    #[test]
    fn an_element_with_more_than_text_has_no_text() {
        let document = tree("<a><b>x<!-- y -->z</b><c>x<d/></c><e> x&amp; </e></a>").unwrap();
        let texts: Vec<_> = document.root_element().children().map(text_of).collect();
        assert_eq!(texts, [None, None, Some("x&".to_owned())]);
    }
}
