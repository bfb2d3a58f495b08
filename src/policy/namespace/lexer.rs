//! The words of a search's text: `name LIKE 'a%' AND tags.team = "x"`.
//!
//! Backends read such texts by parsers for SQL, which differ in escapes, doubled quotes and
//! comments. What two of them could read otherwise is refused.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use super::super::Malformed;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    /// Where it stands, quotes included.
    pub range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier, a keyword, a number.
    Word(String),
    /// `=` and the like.
    Sign(String),
    /// A quoted text.
    Text(char, String),
    Open,
    Close,
    Comma,
}

/// Cuts a text into words.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Malformed> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut signs = text.char_indices().peekable();
    while let Some((start, sign)) = signs.next() {
        let kind = match sign {
            ' ' | '\t' | '\n' | '\r' => continue,
            '(' => Kind::Open,
            ')' => Kind::Close,
            ',' => Kind::Comma,
            '\'' | '"' => Kind::Text(sign, quoted(&mut signs, sign)?),
            '=' | '!' | '<' | '>' => Kind::Sign(run(&mut signs, sign, is_sign)),
            _ if is_of_word(sign) => Kind::Word(word(&mut signs, sign)?),
            _ => return Err(Malformed::Filter),
        };
        let end = signs.peek().map_or(text.len(), |(at, _)| *at);
        // `E'…'`, `'a' 'b'` without a blank: not everybody's reading is the same.
        let quoted = matches!(kind, Kind::Text(..));
        if let Some(last) = tokens.last()
            && last.range.end == start
            && (matches!(last.kind, Kind::Word(_) | Kind::Text(..)) && quoted
                || matches!(last.kind, Kind::Text(..)) && matches!(kind, Kind::Word(_)))
        {
            return Err(Malformed::Filter);
        }
        tokens.push(Token {
            kind,
            range: start..end,
        });
    }
    Ok(tokens)
}

type Signs<'t> = Peekable<CharIndices<'t>>;

/// Up to the closing quote. One that is doubled or escaped ends the text for some.
fn quoted(signs: &mut Signs<'_>, quote: char) -> Result<String, Malformed> {
    let mut text = String::new();
    for (_, sign) in signs.by_ref() {
        if sign != quote {
            text.push(sign);
            continue;
        }
        let doubled = signs.peek().is_some_and(|(_, next)| *next == quote);
        if doubled || text.ends_with('\\') {
            return Err(Malformed::Filter);
        }
        return Ok(text);
    }
    Err(Malformed::Filter)
}

/// `a.b`, with parts in backticks or, behind a dot, in double quotes.
fn word(signs: &mut Signs<'_>, first: char) -> Result<String, Malformed> {
    let mut word = String::new();
    let mut next = Some(first);
    while let Some(sign) = next {
        match sign {
            '`' => word.push_str(&quoted(signs, '`')?),
            '"' => word.push_str(&quoted(signs, '"')?),
            _ => word.push(sign),
        }
        let follows = |sign: char| is_of_word(sign) || (sign == '"' && word.ends_with('.'));
        next = signs.next_if(|(_, sign)| follows(*sign)).map(|(_, it)| it);
    }
    // A comment begins with two of them.
    if word.contains("--") {
        return Err(Malformed::Filter);
    }
    Ok(word)
}

fn run(signs: &mut Signs<'_>, first: char, belongs: fn(char) -> bool) -> String {
    let mut run = String::from(first);
    while let Some((_, sign)) = signs.next_if(|(_, sign)| belongs(*sign)) {
        run.push(sign);
    }
    run
}

const fn is_sign(sign: char) -> bool {
    matches!(sign, '=' | '!' | '<' | '>')
}

const fn is_of_word(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, '_' | '.' | '-' | '+' | '`')
}
