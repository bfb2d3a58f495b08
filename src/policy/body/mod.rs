//! An inspected body: read strictly, pointed into, changed, and forwarded as it was read.
//!
//! Backends differ in what they make of a doubled key, a number that is too long or bytes
//! behind the end. What has two readings is refused, and what is forwarded is written afresh
//! from what was read here: the backend cannot read anything else.

mod media;
mod parse;
mod protobuf;
mod tree;

use bytes::Bytes;
use http::HeaderMap;

pub use tree::Tree;

use super::{BodyFormat, BodyRule, Denial, Keys, Malformed, Pointer};

/// A body that was read.
#[derive(Clone, Debug)]
pub struct Body {
    content: Content,
    keys: Keys,
}

#[derive(Clone, Debug)]
enum Content {
    /// No byte of it.
    Nothing,
    Json(Tree),
    /// The whole of it, which was looked through.
    Grpc(Bytes),
    /// As well.
    Protobuf(Bytes),
}

/// What stands in a place of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyValue<'b> {
    /// A text.
    Text(&'b str),
    /// A number, as spelt.
    Number(&'b str),
    /// True or false.
    Bool(bool),
    /// Bytes that need be no text.
    Bytes(&'b [u8]),
    /// An array or an object.
    Several,
}

impl Body {
    /// Reads a whole body, of a request with these header fields.
    ///
    /// # Errors
    ///
    /// A refusal if it is too long, of another type, or can be read in two ways.
    pub fn read(rule: &BodyRule, headers: &HeaderMap, bytes: Bytes) -> Result<Self, Denial> {
        if u64::try_from(bytes.len()).is_ok_and(|length| length > rule.max) {
            return Err(Denial::body_too_large());
        }
        rule.check(headers, bytes.is_empty())?;
        Ok(Self::parse(rule.format, rule.keys, bytes)?)
    }

    /// Reads a body, whatever was announced.
    ///
    /// # Errors
    ///
    /// If it can be read in two ways.
    pub fn parse(format: BodyFormat, keys: Keys, bytes: Bytes) -> Result<Self, Malformed> {
        let content = match format {
            BodyFormat::Json if bytes.is_empty() => Content::Nothing,
            BodyFormat::Json => Content::Json(whole(parse::parse(&bytes, keys)?)?),
            BodyFormat::Grpc => {
                protobuf::framed(&bytes)?;
                Content::Grpc(bytes)
            }
            BodyFormat::Protobuf => {
                protobuf::whole_message(&bytes)?;
                Content::Protobuf(bytes)
            }
        };
        Ok(Self { content, keys })
    }

    /// What the pointer leads to; `None` for what is not there or null.
    ///
    /// # Errors
    ///
    /// If the way leads through a value of another kind, or the place has two values.
    pub fn find(&self, pointer: &Pointer) -> Result<Vec<Option<BodyValue<'_>>>, Malformed> {
        match &self.content {
            Content::Nothing => Tree::Null
                .find(pointer, self.keys)
                .map(|found| vec![None; found.len()]),
            Content::Json(tree) => {
                let found = tree.find(pointer, self.keys)?;
                Ok(found.into_iter().map(|it| it.map(BodyValue::of)).collect())
            }
            Content::Grpc(body) => protobuf::find(protobuf::framed(body)?, pointer),
            Content::Protobuf(body) => protobuf::find(body, pointer),
        }
    }

    /// Puts a value where the pointer leads.
    ///
    /// # Errors
    ///
    /// If the way leads through a value of another kind.
    pub fn set(&mut self, pointer: &Pointer, value: Tree) -> Result<(), Malformed> {
        if matches!(self.content, Content::Nothing) {
            self.content = Content::Json(Tree::Null);
        }
        match &mut self.content {
            Content::Json(tree) => tree.set(pointer, self.keys, value),
            Content::Nothing | Content::Grpc(_) | Content::Protobuf(_) => Err(Malformed::BodyShape),
        }
    }

    /// Puts other texts where the pointer leads, for texts and numbers that stand there.
    ///
    /// # Errors
    ///
    /// If the way, or what stands there, is of another kind; or what `new` says.
    pub fn rewrite(
        &mut self,
        pointer: &Pointer,
        mut new: impl FnMut(&str) -> Result<Option<String>, Malformed>,
    ) -> Result<(), Malformed> {
        let tree = match &mut self.content {
            Content::Nothing => return Ok(()),
            Content::Json(tree) => tree,
            Content::Grpc(_) | Content::Protobuf(_) => return Err(Malformed::BodyShape),
        };
        for there in tree.find_mut(pointer, self.keys)? {
            let changed = match there {
                Tree::Null => None,
                Tree::Text(text) | Tree::Number(text) => new(text)?,
                Tree::Bool(_) | Tree::List(_) | Tree::Map(_) => return Err(Malformed::BodyShape),
            };
            if let Some(text) = changed {
                *there = Tree::Text(text.into());
            }
        }
        Ok(())
    }

    /// What the backend gets.
    #[must_use]
    pub fn forwarded(&self) -> Bytes {
        match &self.content {
            Content::Nothing => Bytes::new(),
            Content::Json(tree) => tree.to_bytes().into(),
            Content::Grpc(body) | Content::Protobuf(body) => body.clone(),
        }
    }
}

/// A whole body is an object or an array. Some backends unpack a text that holds the JSON.
fn whole(tree: Tree) -> Result<Tree, Malformed> {
    match tree {
        Tree::Null | Tree::List(_) | Tree::Map(_) => Ok(tree),
        Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => Err(Malformed::BodyShape),
    }
}

impl Tree {
    /// Reads any JSON text, strictly.
    ///
    /// # Errors
    ///
    /// If it can be read in two ways.
    pub fn parse(bytes: &[u8], keys: Keys) -> Result<Self, Malformed> {
        parse::parse(bytes, keys)
    }
}

impl<'b> BodyValue<'b> {
    fn of(tree: &'b Tree) -> Self {
        match tree {
            Tree::Text(text) => Self::Text(text),
            Tree::Number(spelt) => Self::Number(spelt),
            Tree::Bool(value) => Self::Bool(*value),
            Tree::Null | Tree::List(_) | Tree::Map(_) => Self::Several,
        }
    }
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
