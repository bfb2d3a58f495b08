//! `paths`: the operations.

use http::Method;

use super::super::diagnostic::Diagnostic;
use super::super::node::{Node, Value};
use super::super::reader::Reader;
use super::reference::resolve;
use super::servers::Servers;
use super::{Operation, Template, Unread};

const METHODS: [(&str, Method); 8] = [
    ("get", Method::GET),
    ("put", Method::PUT),
    ("post", Method::POST),
    ("delete", Method::DELETE),
    ("options", Method::OPTIONS),
    ("head", Method::HEAD),
    ("patch", Method::PATCH),
    ("trace", Method::TRACE),
];

struct Context<'a> {
    reader: Reader<'a>,
    root: &'a Node,
    servers: &'a Servers<'a>,
}

/// Every operation, and the paths that could not be read.
pub(super) fn all(
    reader: Reader<'_>,
    root: &Node,
    paths: &Node,
    servers: &Servers<'_>,
) -> (Vec<Operation>, Vec<Unread>) {
    let context = Context {
        reader,
        root,
        servers,
    };
    let (mut operations, mut unread) = (Vec::new(), Vec::new());
    for (key, item) in paths.pairs() {
        match key.text() {
            Some(path) if path.starts_with('/') => {
                context.path(path, key, item, &mut operations, &mut unread);
            }
            Some(extension) if extension.starts_with("x-") => {}
            Some(path) => {
                let problem = format!("a path begins with `/`, not `{path}`");
                reader.report(key.place, problem);
            }
            None => reader.report(key.place, "a path is text"),
        }
    }
    (operations, unread)
}

impl Context<'_> {
    fn path(
        &self,
        path: &str,
        key: &Node,
        item: &Node,
        operations: &mut Vec<Operation>,
        unread: &mut Vec<Unread>,
    ) {
        let resolved = match resolve(self.root, item) {
            Ok(resolved) => resolved,
            Err(message) => return unread.push(self.unread(path, key, message)),
        };
        if !matches!(resolved.value, Value::Map(_)) {
            let found = resolved.value.kind();
            let problem = format!("expected the operations of `{path}`, found {found}");
            self.reader.report(resolved.place, problem);
            return;
        }
        // OpenAPI 3.1 allows operations beside a `$ref`, and leaves open which count.
        for place in [resolved, item] {
            for (method, operation) in place.pairs() {
                let known = METHODS.iter().find(|(word, _)| method.text() == Some(word));
                if let Some((_, name)) = known {
                    operations.push(self.operation(name, path, resolved, method, operation));
                }
            }
            if std::ptr::eq(resolved, item) {
                break;
            }
        }
    }

    fn unread(&self, path: &str, key: &Node, message: String) -> Unread {
        Unread {
            path: path.to_owned(),
            diagnostic: Diagnostic {
                file: self.reader.file.clone(),
                line: key.place.line,
                column: key.place.column,
                message,
            },
        }
    }

    fn operation(
        &self,
        method: &Method,
        path: &str,
        item: &Node,
        key: &Node,
        node: &Node,
    ) -> Operation {
        let mut notes = Vec::new();
        let parameters = self.parameters(item, node, &mut notes);
        let slashes = |name: &str| {
            let found = parameters.iter().rev().find(|p| is(p, "path", name));
            found.is_some_and(|parameter| may_hold_slashes(self.root, parameter))
        };
        let base = self.servers.base(item, node);
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let flag = |key: &str| {
            let value = node.get(key).map(|node| &node.value);
            matches!(value, Some(Value::Bool(true)))
        };
        let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
        let tags = node.get("tags").map_or(&[][..], Node::items).iter();
        Operation {
            method: method.clone(),
            template: Template::parse(&format!("{base}{path}"), slashes),
            id: text("operationId"),
            summary: text("summary").or_else(|| text("description").map(first_line)),
            tags: tags.filter_map(Node::text).map(str::to_owned).collect(),
            deprecated: flag("deprecated"),
            open: self.is_open(node),
            headers: parameters.iter().filter_map(|p| header(p)).collect(),
            notes,
            origin: self.reader.origin(key.place),
        }
    }

    /// Those of the path, then those of the operation.
    fn parameters<'n>(
        &'n self,
        item: &'n Node,
        operation: &'n Node,
        notes: &mut Vec<String>,
    ) -> Vec<&'n Node> {
        let lists = [item, operation].map(|node| node.get("parameters"));
        let all = lists.into_iter().flatten().flat_map(Node::items);
        let mut parameters = Vec::new();
        for parameter in all {
            match resolve(self.root, parameter) {
                Ok(parameter) => parameters.push(parameter),
                Err(message) => notes.push(format!("a parameter was not read: {message}")),
            }
        }
        parameters
    }

    /// No `security`, an empty one, or one that accepts nothing at all.
    fn is_open(&self, operation: &Node) -> bool {
        let security = operation
            .get("security")
            .or_else(|| self.root.get("security"));
        let Some(security) = security else {
            return true;
        };
        let choices = security.items();
        choices.is_empty() || choices.iter().any(|choice| choice.pairs().is_empty())
    }
}

fn is(parameter: &Node, place: &str, name: &str) -> bool {
    let text = |key| parameter.get(key).and_then(Node::text);
    text("in") == Some(place) && text("name") == Some(name)
}

fn header(parameter: &Node) -> Option<String> {
    let is_header = parameter.get("in")?.text()? == "header";
    let name = parameter.get("name")?.text()?;
    is_header.then(|| name.to_owned())
}

/// As its schema has it: `format: path`, or a `pattern` with a slash.
fn may_hold_slashes(root: &Node, parameter: &Node) -> bool {
    let reserved = parameter.get("allowReserved").map(|node| &node.value);
    let schema = parameter.get("schema");
    let schema = schema.and_then(|schema| resolve(root, schema).ok());
    let text = |key| schema.and_then(|schema| schema.get(key)?.text());
    matches!(reserved, Some(Value::Bool(true)))
        || text("format") == Some("path")
        || text("pattern").is_some_and(takes_slashes)
}

/// `.+/.+`, `projects/[^/]+`: a slash outside of a class of characters to leave out.
fn takes_slashes(pattern: &str) -> bool {
    let without_classes: String = {
        let mut inside = false;
        let outside = pattern.chars().filter(|c| {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ => {}
            }
            !inside
        });
        outside.collect()
    };
    without_classes.contains('/')
}
