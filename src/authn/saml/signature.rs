//! What is signed, and by whom.
//!
//! `samael` has xmlsec verify every signature of a document, and hands out the octets that one
//! was over: only those are read. It leaves open what a signature may be over and how it gets
//! there, and which one is meant if there are several. Here each must be a child of the very
//! element that it is over, whole, with no other transforms than it takes to be there.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};
use samael::crypto::{CertificateDer, Crypto, CryptoProvider as _, ReduceMode};

use super::Refused;
use super::names::{ASSERTION, CANONICAL, DIGESTED_BY, ENVELOPED, SIGNATURE, SIGNED_BY};
use crate::config::saml::Certificate;
use crate::config::saml::xml::{children, only};

/// Attributes that can be referred to by. Only the first one is, but readers differ.
const IDS: [&str; 3] = ["ID", "Id", "id"];

/// Verifies all signatures of a document that was checked, and hands out what the outermost one
/// is over.
pub(super) fn verified(
    text: &str,
    document: &Document<'_>,
    trusted: &[Certificate],
) -> Result<String, Refused> {
    check(document)?;
    let trusted: Vec<_> = trusted
        .iter()
        .map(|certificate| CertificateDer::from(certificate.der().to_vec()))
        .collect();
    if trusted.is_empty() {
        return Err(Refused("no certificate is trusted".into()));
    }
    let by = ReduceMode::PreDigest;
    Crypto::reduce_xml_to_signed_with_allowed_algorithms(text, &trusted, by, None)
        .map_err(|_| Refused("a signature does not hold".into()))
}

/// The signature of this very element.
pub(super) fn of<'a, 'i>(element: Node<'a, 'i>) -> Option<Node<'a, 'i>> {
    only(element, SIGNATURE, "Signature")
}

/// Each signature is the only one of the element around it, which is the message or an assertion
/// right in it; and no two things have one name.
fn check(document: &Document<'_>) -> Result<(), Refused> {
    let root = document.root_element();
    let mut names = BTreeSet::new();
    let mut signed = 0;
    for node in document.descendants().filter(Node::is_element) {
        for id in ids(node) {
            if !names.insert(id) {
                return Err(Refused("two things have one ID".into()));
            }
        }
        if node.has_tag_name((SIGNATURE, "Signature")) {
            let parent = node.parent_element().filter(|parent| {
                let in_root = parent.parent_element() == Some(root);
                *parent == root || (parent.has_tag_name((ASSERTION, "Assertion")) && in_root)
            });
            let parent = parent.filter(|parent| of(*parent) == Some(node));
            over(node, parent.ok_or("a signature is out of place")?)?;
            signed += 1;
        }
    }
    if signed == 0 {
        return Err(Refused("nothing is signed".into()));
    }
    Ok(())
}

fn ids<'a>(node: Node<'a, '_>) -> impl Iterator<Item = &'a str> {
    // `xml:id` is one whatever the element.
    node.attributes()
        .filter(|attribute| IDS.contains(&attribute.name()))
        .map(|attribute| attribute.value())
}

/// The signature is over all of `element`, and nothing else.
fn over(signature: Node<'_, '_>, element: Node<'_, '_>) -> Result<(), Refused> {
    const KNOWN: [&str; 3] = ["SignedInfo", "SignatureValue", "KeyInfo"];
    if !has_only(signature, &KNOWN) {
        return Err("a signature holds more than a signature".into());
    }
    let info = only(signature, SIGNATURE, "SignedInfo").ok_or("a signature is over nothing")?;
    if !has_only(
        info,
        &["CanonicalizationMethod", "SignatureMethod", "Reference"],
    ) {
        return Err("a signature is over unknown things".into());
    }
    let reference = only(info, SIGNATURE, "Reference").ok_or("a signature is over many things")?;
    let own = element.attribute("ID").ok_or("what is signed has no ID")?;
    if reference
        .attribute("URI")
        .and_then(|uri| uri.strip_prefix('#'))
        != Some(own)
    {
        return Err("a signature is over another element than the one around it".into());
    }
    is_made_by(info, "CanonicalizationMethod", &[CANONICAL])?;
    is_made_by(info, "SignatureMethod", &SIGNED_BY)?;
    is_made_by(reference, "DigestMethod", &DIGESTED_BY)?;
    let transforms = only(reference, SIGNATURE, "Transforms").ok_or("it is not enveloped")?;
    let transforms: Vec<_> = transforms.children().filter(Node::is_element).collect();
    let algorithms: Vec<_> = transforms
        .iter()
        .map(|transform| transform.attribute("Algorithm").unwrap_or_default())
        .collect();
    if algorithms != [ENVELOPED, CANONICAL] {
        return Err("a signature is over something transformed".into());
    }
    Ok(())
}

/// Each of these once at most, and nothing else.
fn has_only(node: Node<'_, '_>, names: &[&'static str]) -> bool {
    let elements = node.children().filter(Node::is_element).count();
    let known = names
        .iter()
        .filter(|name| children(node, SIGNATURE, name).next().is_some());
    elements == known.count()
}

fn is_made_by(of: Node<'_, '_>, what: &'static str, allowed: &[&str]) -> Result<(), Refused> {
    let said = only(of, SIGNATURE, what).and_then(|node| node.attribute("Algorithm"));
    if said.is_some_and(|said| allowed.contains(&said)) {
        return Ok(());
    }
    Err(Refused(format!("`{what}` is not one that is taken")))
}
