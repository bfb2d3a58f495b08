//! HOSTILE 37: responses that no honest provider makes, a hundred and more, from a valid one.

#![expect(
    clippy::assigning_clones,
    clippy::too_many_lines,
    reason = "lists, which are read best as they are"
)]

use std::collections::BTreeSet;
use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::saml::{Corp, SITE, go_on};
use crate::support::saml::{
    Assertion, CANONICAL, KeyPair, Says, Signing, at, attribute, conditions, confirmation, sign,
    signed, signed_assertion, signed_twice, statement,
};

/// What makes a response of what is to be said.
type Make<'m> = Box<dyn Fn(&Says) -> String + 'm>;
/// Lies by name, so that each is one.
type Lies<'m> = Vec<(String, Make<'m>)>;

/// Of the signed assertion and the evil one: what stands in the response.
type Wrap = fn(&str, &str) -> String;
type Say = fn(&mut Says);
type Change = fn(String) -> String;
type Kind = for<'m> fn(&'m KeyPair, &'m KeyPair) -> Lies<'m>;

const EVIL: &str = "<saml:NameID Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">\
                    admin</saml:NameID>";

/// As if somebody else were meant, not signed.
fn evil(says: &Says) -> Assertion {
    Assertion {
        id: "_evil".to_owned(),
        name_id: EVIL.to_owned(),
        attributes: attribute("email", &["admin@acme.example"]),
        ..says.assertion.clone()
    }
}

/// Without its signature, and the signature.
fn apart(assertion: &str) -> (String, String) {
    let (start, rest) = assertion.split_once("<ds:Signature").unwrap();
    let (signature, end) = rest.split_once("</ds:Signature>").unwrap();
    let signature = format!("<ds:Signature{signature}</ds:Signature>");
    (format!("{start}{end}"), signature)
}

/// With this right after its issuer.
fn after_issuer(assertion: &str, more: &str) -> String {
    assertion.replacen("</saml:Issuer>", &format!("</saml:Issuer>{more}"), 1)
}

fn at_end(assertion: &str, more: &str) -> String {
    assertion.replacen("</saml:Assertion>", &format!("{more}</saml:Assertion>"), 1)
}

fn with_object(signature: &str, more: &str) -> String {
    let object = format!("<ds:Object>{more}</ds:Object></ds:Signature>");
    signature.replace("</ds:Signature>", &object)
}

/// All known ways to wrap what is signed, in responses that are signed or not.
fn wrapped(idp: &KeyPair) -> Lies<'_> {
    let key = &idp.key;
    let ways: [(&str, Wrap); 16] = [
        ("the evil one first", |good, bad| format!("{bad}{good}")),
        ("the evil one last", |good, bad| format!("{good}{bad}")),
        ("the evil one around", |good, bad| at_end(bad, good)),
        ("the evil one around, at the start", |good, bad| {
            after_issuer(bad, good)
        }),
        ("the evil one in it", |good, bad| at_end(good, bad)),
        ("the signature moved, the good one beside", |good, bad| {
            let (bare, signature) = apart(good);
            format!("{}{bare}", after_issuer(bad, &signature))
        }),
        (
            "the signature moved, the good one in an object",
            |good, bad| {
                let (bare, signature) = apart(good);
                after_issuer(bad, &with_object(&signature, &bare))
            },
        ),
        (
            "the signature moved, the good one in the evil one",
            |good, bad| {
                let (bare, signature) = apart(good);
                at_end(&after_issuer(bad, &signature), &bare)
            },
        ),
        ("the signature moved, and nothing else left", |good, bad| {
            after_issuer(bad, &apart(good).1)
        }),
        ("in extensions", |good, bad| {
            format!("<samlp:Extensions>{good}</samlp:Extensions>{bad}")
        }),
        ("in extensions at the end", |good, bad| {
            format!("{bad}<samlp:Extensions>{good}</samlp:Extensions>")
        }),
        ("in a detail of the status", |good, bad| {
            format!(
                "<samlp:Status><samlp:StatusDetail>{good}</samlp:StatusDetail></samlp:Status>{bad}"
            )
        }),
        ("in advice", |good, bad| {
            at_end(bad, &format!("<saml:Advice>{good}</saml:Advice>"))
        }),
        ("in something unknown", |good, bad| {
            format!("<x:y xmlns:x=\"urn:x\">{good}</x:y>{bad}")
        }),
        ("two good ones", |good, _| format!("{good}{good}")),
        ("an evil one that hides as another thing", |good, bad| {
            format!("{good}{}", bad.replace("saml:Assertion", "samlp:Assertion"))
        }),
    ];
    let mut lies: Lies<'_> = Vec::new();
    for (name, way) in ways {
        for same_id in [false, true] {
            let made = move |says: &Says| {
                let mut bad = evil(says);
                if same_id {
                    bad.id.clone_from(&says.assertion.id);
                }
                way(&signed_assertion(says, key), &bad.xml(None))
            };
            let id = if same_id { "one ID" } else { "two IDs" };
            let plain = move |says: &Says| says.around(&made(says), None);
            lies.push((format!("wrapped: {name}, {id}"), Box::new(plain)));
        }
        // A response that was signed around the good one, then changed.
        let signed_around = move |says: &Says| {
            let good = signed_twice(says, key);
            let inner = &good[good.find("<saml:Assertion").unwrap()..];
            let inner = inner.strip_suffix("</samlp:Response>").unwrap();
            good.replace(inner, &way(inner, &evil(says).xml(None)))
        };
        lies.push((
            format!("wrapped: {name}, signed around"),
            Box::new(signed_around),
        ));
    }
    lies.push((
        "wrapped: a response in a response".to_owned(),
        Box::new(move |says| {
            let mut outer = says.clone();
            outer.id = "_outer".to_owned();
            let good = signed_twice(says, key);
            outer.around(
                &format!(
                    "<samlp:Extensions>{good}</samlp:Extensions>{}",
                    evil(says).xml(None)
                ),
                None,
            )
        }),
    ));
    lies.push((
        "wrapped: a response in the object of its own signature".to_owned(),
        Box::new(move |says| {
            let good = signed_twice(says, key);
            let (bare, signature) = apart(&good);
            let mut outer = says.clone();
            outer.id = "_outer".to_owned();
            let bad = outer.around(&evil(says).xml(None), None);
            after_issuer(&bad, &with_object(&signature, &bare))
        }),
    ));
    lies
}

/// What is said is changed after it was signed.
fn altered(idp: &KeyPair) -> Lies<'_> {
    let key = &idp.key;
    let changes = [
        ("name", ">u-1<", ">admin<"),
        ("name by an entity", ">u-1<", ">&#97;dmin<"),
        ("address", "ann@acme", "root@acme"),
        ("group", ">staff<", ">admins<"),
        (
            "format",
            "nameid-format:persistent",
            "nameid-format:emailAddress",
        ),
        ("index", "s-1", "s-9"),
        (
            "an attribute more",
            "</saml:AttributeStatement>",
            "<saml:Attribute Name=\"groups\"><saml:AttributeValue>admins</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>",
        ),
        (
            "an attribute less",
            "<saml:Attribute Name=\"email\">",
            "<saml:Attribute Name=\"mail\">",
        ),
        ("a comment in the name", ">u-1<", ">u-1<!-- -->0<"),
        ("an instruction in the name", ">u-1<", "><?x y?>u-1<"),
        ("character data", ">u-1<", "><![CDATA[admin]]><"),
        (
            "a prefix of another namespace",
            "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_a",
            "xmlns:saml=\"urn:evil\" ID=\"_a",
        ),
    ];
    let mut lies: Lies<'_> = Vec::new();
    for (name, from, to) in changes {
        let once = move |says: &Says| {
            let made = signed(says, key);
            assert!(made.contains(from), "{from} in {made}");
            made.replace(from, to)
        };
        let twice = move |says: &Says| signed_twice(says, key).replace(from, to);
        lies.push((format!("altered: {name}"), Box::new(once)));
        lies.push((format!("altered: {name}, signed twice"), Box::new(twice)));
    }
    let of_response: [(&str, &str, &str); 3] = [
        (
            "the address",
            "saml/corp/acs\" InResponseTo",
            "saml/evil/acs\" InResponseTo",
        ),
        ("the status", "status:Success", "status:Responder"),
        (
            "the issuer",
            "<saml:Issuer>https://idp",
            "<saml:Issuer>https://evil",
        ),
    ];
    for (name, from, to) in of_response {
        let twice = move |says: &Says| {
            let made = signed_twice(says, key);
            assert!(made.contains(from), "{from} in {made}");
            made.replacen(from, to, 1)
        };
        lies.push((format!("altered: {name} of the response"), Box::new(twice)));
    }
    lies
}

/// The provider has signed it, but it is not for this, now, here.
fn not_for_us(idp: &KeyPair) -> Lies<'_> {
    let key = &idp.key;
    let acs = "http://localhost:1/.portcullis/saml/corp/acs";
    assert_eq!(acs, format!("{SITE}/acs"));
    let says: Vec<(&str, Say)> = vec![
        ("another audience", |it| {
            it.assertion.conditions = conditions("https://other.example/sp");
        }),
        ("no audience", |it| {
            it.assertion.conditions =
                "<saml:Conditions NotBefore=\"2020-01-01T00:00:00Z\"/>".to_owned();
        }),
        ("an audience of two restrictions", |it| {
            let more = "<saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction></saml:Conditions>";
            it.assertion.conditions = it.assertion.conditions.replace("</saml:Conditions>", more);
        }),
        ("no conditions", |it| it.assertion.conditions.clear()),
        ("two conditions", |it| {
            it.assertion.conditions = it.assertion.conditions.repeat(2);
        }),
        ("an unknown condition", |it| {
            let more = "<saml:Condition xmlns:x=\"urn:x\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"x:only\"/></saml:Conditions>";
            it.assertion.conditions = it.assertion.conditions.replace("</saml:Conditions>", more);
        }),
        ("expired", |it| {
            let (now, gone) = (at(300), at(-120));
            it.assertion.conditions = it.assertion.conditions.replace(&now, &gone);
        }),
        ("from the future", |it| {
            let (now, then) = (at(-30), at(120));
            it.assertion.conditions = it.assertion.conditions.replace(&now, &then);
        }),
        ("a time that is none", |it| {
            it.assertion.conditions = it
                .assertion
                .conditions
                .replace("NotBefore=\"2", "NotBefore=\"x2");
        }),
        ("another recipient", |it| {
            it.assertion.confirmation =
                confirmation("https://other.example/acs", &it.in_response_to);
        }),
        ("no recipient", |it| {
            it.assertion.confirmation = it.assertion.confirmation.replace("Recipient=", "Other=");
        }),
        ("a recipient that begins like ours", |it| {
            let acs = format!("{SITE}/acs/more");
            it.assertion.confirmation = confirmation(&acs, &it.in_response_to);
        }),
        ("no confirmation", |it| it.assertion.confirmation.clear()),
        ("another confirmation", |it| {
            it.assertion.confirmation = it
                .assertion
                .confirmation
                .replace("cm:bearer", "cm:holder-of-key");
        }),
        ("confirmed for ever", |it| {
            it.assertion.confirmation = it.assertion.confirmation.replace("NotOnOrAfter", "Other");
        }),
        ("confirmed till before", |it| {
            it.assertion.confirmation = it.assertion.confirmation.replace(&at(300), &at(-120));
        }),
        ("confirmed from later on", |it| {
            let more = format!("NotBefore=\"{}\" Recipient", at(300));
            it.assertion.confirmation = it.assertion.confirmation.replace("Recipient", &more);
        }),
        ("the assertion answers something else", |it| {
            it.assertion.confirmation = confirmation(&format!("{SITE}/acs"), "_other");
        }),
        ("the assertion answers nothing", |it| {
            it.assertion.confirmation = confirmation(&format!("{SITE}/acs"), "");
        }),
        ("the response answers something else", |it| {
            it.in_response_to = "_other".to_owned();
        }),
        ("the response answers nothing", |it| {
            it.in_response_to.clear();
        }),
        ("somebody else says it", |it| {
            it.assertion.issuer = "https://other.example".to_owned();
        }),
        ("nobody says it", |it| it.assertion.issuer.clear()),
        ("an issuer of another kind", |it| {
            it.assertion.attributes += "";
            it.assertion.issuer = format!("x</saml:Issuer><saml:Issuer>{}", it.issuer);
        }),
        ("somebody else sends it", |it| {
            it.issuer = "https://other.example".to_owned();
        }),
        ("it is sent elsewhere", |it| {
            it.destination = "https://other.example/acs".to_owned();
        }),
        ("an old assertion", |it| it.assertion.at = at(-3600)),
        ("an assertion of tomorrow", |it| {
            it.assertion.at = at(86_400);
        }),
        ("an old response", |it| it.at = at(-3600)),
        ("a response of tomorrow", |it| it.at = at(86_400)),
        ("an assertion of SAML 1.1", |it| {
            it.assertion.version = "1.1";
        }),
        ("a response of SAML 1.1", |it| it.version = "1.1"),
        ("the provider says no", |it| {
            it.status = "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"/></samlp:StatusCode>".to_owned();
        }),
        ("no status", |it| it.status.clear()),
        ("nobody has proved anything", |it| {
            it.assertion.statement.clear();
        }),
        ("proved twice", |it| {
            it.assertion.statement = it.assertion.statement.repeat(2);
        }),
        ("proved tomorrow", |it| {
            it.assertion.statement = statement(86_400);
        }),
        ("their session has ended", |it| {
            let more = format!("SessionNotOnOrAfter=\"{}\" AuthnInstant", at(-1));
            it.assertion.statement = it.assertion.statement.replace("AuthnInstant", &more);
        }),
        ("a transient name", |it| {
            it.assertion.name_id = it.assertion.name_id.replace("persistent", "transient");
        }),
        ("no name", |it| it.assertion.name_id.clear()),
        ("an empty name", |it| {
            it.assertion.name_id = it.assertion.name_id.replace("u-1", " ");
        }),
        ("two names", |it| {
            it.assertion.name_id = it.assertion.name_id.repeat(2);
        }),
        ("a name for others", |it| {
            it.assertion.name_id = it
                .assertion
                .name_id
                .replace("Format", "SPNameQualifier=\"https://other.example\" Format");
        }),
        ("a name with an element", |it| {
            it.assertion.name_id = it
                .assertion
                .name_id
                .replace("u-1", "u-1<x xmlns=\"urn:x\"/>0");
        }),
        ("a name with a comment", |it| {
            it.assertion.name_id = it.assertion.name_id.replace("u-1", "admin<!-- -->@evil");
        }),
        ("a very long name", |it| {
            it.assertion.name_id = it.assertion.name_id.replace("u-1", &"u".repeat(256));
        }),
        ("an encrypted name", |it| {
            it.assertion.name_id = "<saml:EncryptedID/>".to_owned();
        }),
        ("nobody's address, of somebody new", |it| {
            it.assertion.name_id = it.assertion.name_id.replace("u-1", "u-2");
            it.assertion.attributes.clear();
        }),
        ("an address that is none, of somebody new", |it| {
            it.assertion.name_id = it.assertion.name_id.replace("u-1", "u-2");
            it.assertion.attributes = attribute("email", &["not an address"]);
        }),
    ];
    let mut lies: Lies<'_> = Vec::new();
    for (name, say) in says {
        let made = move |it: &Says| {
            let mut it = it.clone();
            say(&mut it);
            signed(&it, key)
        };
        lies.push((format!("not for us: {name}"), Box::new(made)));
    }
    lies.push((
        "not for us: a signed response without an address".to_owned(),
        Box::new(move |says| {
            let mut says = says.clone();
            says.destination.clear();
            signed_twice(&says, key)
        }),
    ));
    lies
}

/// Signed, but not so that it says anything.
fn badly_signed<'m>(idp: &'m KeyPair, stranger: &'m KeyPair) -> Lies<'m> {
    let key = &idp.key;
    let by = move |says: &Says, signing: Signing| {
        says.around(&sign(&says.assertion.xml(Some(&signing)), key), None)
    };
    let usual = Signing::default;
    let transform = |algorithm: &str, more: &str| {
        format!("<ds:Transform Algorithm=\"{algorithm}\">{more}</ds:Transform>")
    };
    let enveloped = usual().transforms[0].clone();
    let canonical = usual().transforms[1].clone();
    let with = move |transforms: Vec<String>| -> Make<'m> {
        Box::new(move |says| {
            let transforms = transforms.clone();
            by(
                says,
                Signing {
                    transforms,
                    ..Signing::default()
                },
            )
        })
    };
    let mut lies: Lies<'m> = vec![
        (
            "nothing".to_owned(),
            Box::new(|says| says.around(&says.assertion.xml(None), None)),
        ),
        (
            "the response only".to_owned(),
            Box::new(move |says| {
                sign(
                    &says.around(&says.assertion.xml(None), Some(&Signing::default())),
                    key,
                )
            }),
        ),
        (
            "by somebody else".to_owned(),
            Box::new(move |says| signed(says, &stranger.key)),
        ),
        (
            "by somebody else, with their certificate".to_owned(),
            Box::new(move |says| {
                let der = BASE64.encode(stranger.certificate.to_der().unwrap());
                signed(says, &stranger.key).replace(
                    "</ds:Signature>",
                    &format!(
                        "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{der}</ds:X509Certificate>\
                         </ds:X509Data></ds:KeyInfo></ds:Signature>"
                    ),
                )
            }),
        ),
        (
            "the response by somebody else".to_owned(),
            Box::new(move |says| {
                let inner = signed_assertion(says, key);
                sign(
                    &says.around(&inner, Some(&Signing::default())),
                    &stranger.key,
                )
            }),
        ),
        (
            "the assertion by somebody else".to_owned(),
            Box::new(move |says| {
                let inner = signed_assertion(says, &stranger.key);
                sign(&says.around(&inner, Some(&Signing::default())), key)
            }),
        ),
        (
            "with SHA-1".to_owned(),
            Box::new(move |says| {
                let method = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
                by(
                    says,
                    Signing {
                        method,
                        ..Signing::default()
                    },
                )
            }),
        ),
        (
            "over a SHA-1 digest".to_owned(),
            Box::new(move |says| {
                let digest = "http://www.w3.org/2000/09/xmldsig#sha1";
                by(
                    says,
                    Signing {
                        digest,
                        ..Signing::default()
                    },
                )
            }),
        ),
        (
            "with the certificate as a secret".to_owned(),
            Box::new(move |says| with_hmac(&signed(says, key), idp)),
        ),
        (
            "over the whole document".to_owned(),
            Box::new(move |says| {
                let reference = Some(String::new());
                by(
                    says,
                    Signing {
                        reference,
                        ..Signing::default()
                    },
                )
            }),
        ),
        (
            "with an empty value".to_owned(),
            Box::new(move |says| emptied(&signed(says, key), "SignatureValue")),
        ),
        (
            "with an empty digest".to_owned(),
            Box::new(move |says| emptied(&signed(says, key), "DigestValue")),
        ),
        (
            "canonical otherwise".to_owned(),
            Box::new(move |says| {
                let canonical = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
                by(
                    says,
                    Signing {
                        canonical,
                        ..Signing::default()
                    },
                )
            }),
        ),
        (
            "twice".to_owned(),
            Box::new(move |says| {
                let made = signed_assertion(says, key);
                let (_, signature) = apart(&made);
                says.around(&after_issuer(&made, &signature), None)
            }),
        ),
        (
            "elsewhere in it".to_owned(),
            Box::new(move |says| {
                let made = signed_assertion(says, key);
                let (bare, signature) = apart(&made);
                let in_subject = format!("<saml:Subject>{signature}");
                says.around(&bare.replace("<saml:Subject>", &in_subject), None)
            }),
        ),
        (
            "beside it".to_owned(),
            Box::new(move |says| {
                let made = signed_assertion(says, key);
                let (bare, signature) = apart(&made);
                says.around(&format!("{signature}{bare}"), None)
            }),
        ),
        (
            "with an object".to_owned(),
            Box::new(move |says| {
                signed(says, key).replace("</ds:Signature>", "<ds:Object/></ds:Signature>")
            }),
        ),
        (
            "with a manifest's reference".to_owned(),
            Box::new(move |says| {
                let made = signed(says, key);
                let (_, rest) = made.split_once("<ds:Reference").unwrap();
                let (reference, _) = rest.split_once("</ds:Reference>").unwrap();
                let reference = format!("<ds:Reference{reference}</ds:Reference>");
                made.replace(&reference, &reference.repeat(2))
            }),
        ),
    ];
    let transformed = [
        ("only enveloped", vec![enveloped.clone()]),
        ("only canonical", vec![canonical]),
        (
            "with comments",
            vec![
                enveloped.clone(),
                transform(&format!("{CANONICAL}WithComments"), ""),
            ],
        ),
        (
            "by XPath",
            vec![
                enveloped,
                transform(
                    "http://www.w3.org/TR/1999/REC-xpath-19991116",
                    "<ds:XPath>not(ancestor-or-self::*[local-name()='Subject'])</ds:XPath>",
                ),
                transform(CANONICAL, ""),
            ],
        ),
    ];
    for (name, transforms) in transformed {
        lies.push((format!("transformed: {name}"), with(transforms)));
    }
    for (name, _) in &mut lies {
        name.insert_str(0, "badly signed: ");
    }
    lies
}

fn emptied(xml: &str, name: &str) -> String {
    let (start, rest) = xml.split_once(&format!("<ds:{name}>")).unwrap();
    let (_, end) = rest.split_once(&format!("</ds:{name}>")).unwrap();
    format!("{start}<ds:{name}></ds:{name}>{end}")
}

/// RS → HS, as of JSON Web Tokens: the public key as a secret that both know.
fn with_hmac(xml: &str, idp: &KeyPair) -> String {
    let hmac = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";
    let xml = xml.replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", hmac);
    let (_, rest) = xml.split_once("<ds:SignedInfo>").unwrap();
    let (info, _) = rest.split_once("</ds:SignedInfo>").unwrap();
    let over = format!(
        "<ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{info}</ds:SignedInfo>"
    );
    let secret = PKey::hmac(&idp.certificate.to_der().unwrap()).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &secret).unwrap();
    let value = BASE64.encode(signer.sign_oneshot_to_vec(over.as_bytes()).unwrap());
    emptied(&xml, "SignatureValue").replace(
        "<ds:SignatureValue>",
        &format!("<ds:SignatureValue>{value}"),
    )
}

/// What is no message, or not one in one way only.
fn no_message(idp: &KeyPair) -> Lies<'_> {
    let key = &idp.key;
    let changes: [(&str, Change); 14] = [
        ("a document type", |xml| format!("<!DOCTYPE x>{xml}")),
        ("an entity", |xml| {
            format!(
                "<!DOCTYPE x [<!ENTITY who \"admin\">]>{}",
                xml.replace(">u-1<", ">&who;<")
            )
        }),
        ("a file as an entity", |xml| {
            let entity = "<!DOCTYPE x [<!ENTITY who SYSTEM \"file:///etc/passwd\">]>";
            format!("{entity}{}", xml.replace(">u-1<", ">&who;<"))
        }),
        ("a thousand laughs", |xml| {
            format!(
                "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">\
                 <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>{}",
                xml.replace(">u-1<", ">&c;<")
            )
        }),
        ("UTF-7", |xml| {
            format!("<?xml version=\"1.0\" encoding=\"UTF-7\"?>{xml}")
        }),
        ("UTF-16 by name", |xml| {
            format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?>{xml}")
        }),
        ("XML 1.1", |xml| format!("<?xml version=\"1.1\"?>{xml}")),
        ("a comment before", |xml| format!("<!-- x -->{xml}")),
        ("a style sheet", |xml| {
            format!("<?xml-stylesheet href=\"x\"?>{xml}")
        }),
        ("two messages", |xml| xml.repeat(2)),
        ("half a message", |xml| xml[..xml.len() / 2].to_owned()),
        ("another message", |xml| {
            xml.replace("samlp:Response", "samlp:ArtifactResponse")
        }),
        ("a namespace that is nearly right", |xml| {
            xml.replace(
                "urn:oasis:names:tc:SAML:2.0:protocol",
                "urn:oasis:names:tc:SAML:2.0:Protocol",
            )
        }),
        ("very deep", |xml| {
            let (open, close) = ("<x>".repeat(5000), "</x>".repeat(5000));
            let deep = format!("<samlp:Extensions>{open}{close}</samlp:Extensions><samlp:Status>");
            xml.replacen("<samlp:Status>", &deep, 1)
        }),
    ];
    let mut lies: Lies<'_> = Vec::new();
    for (name, change) in changes {
        let made = move |says: &Says| change(signed(says, key));
        lies.push((format!("no message: {name}"), Box::new(made)));
    }
    lies
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_responses_that_no_honest_provider_makes_are_refused() {
    let kinds: [Kind; 5] = [
        |idp, _| wrapped(idp),
        |idp, _| altered(idp),
        |idp, _| not_for_us(idp),
        badly_signed,
        |idp, _| no_message(idp),
    ];
    let stranger = KeyPair::rsa(2048);
    let mut names = BTreeSet::new();
    // So many attempts no network has at one gateway.
    for kind in kinds {
        let corp = Corp::start().await;
        let lies = kind(&corp.idp, &stranger);
        // Each is refused where an honest one is taken, before and after.
        corp.ann();
        let taken = taken(&corp, &lies);
        assert_eq!(taken, Vec::<&String>::new());
        corp.ann();
        names.extend(lies.into_iter().map(|(name, _)| name));
    }
    assert!(names.len() >= 100, "{}", names.len());
}

/// Those that somebody is signed in by.
fn taken<'l>(corp: &Corp, lies: &'l Lies<'_>) -> Vec<&'l String> {
    let mut taken = Vec::new();
    for (name, make) in lies {
        let (mut browser, id) = corp.away();
        let xml = make(&Says::of_ann(SITE, &id));
        let brought = corp.post("corp/acs", "SAMLResponse", &xml, "");
        let is_refused = if brought.status == 303 {
            // What is said of people is judged where their cookie shows.
            go_on(&mut browser, &brought).status == 401
        } else {
            brought.status == 401
        };
        if !is_refused || browser.cookie.is_some() {
            taken.push(name);
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_form_of_a_provider_is_refused() {
    let corp = Corp::start().await;
    let acs = |value: &str| {
        corp.post_encoded("corp/acs", "SAMLResponse", value, "")
            .status
    };
    assert_eq!(acs(""), 401);
    assert_eq!(acs("%%%"), 401);
    assert_eq!(acs(&"A".repeat(300_000)), 401);
    assert_eq!(
        corp.post_encoded("corp/acs", "Other", "eA==", "").status,
        400
    );
    assert_eq!(
        corp.post_encoded("other/acs", "SAMLResponse", "eA==", "")
            .status,
        401
    );
    assert_eq!(
        corp.post_encoded("corp/acs", "SAMLResponse", &"A".repeat(600_000), "")
            .status,
        413
    );
    let mut browser = corp.bench.browser();
    let answer = browser.go("/.portcullis/saml/corp/slo");
    assert_eq!(answer.status, 400);
    // Of a message that swells when it is inflated only so much is, even if it is signed; of one
    // that is not, nothing.
    let swollen = format!("<x>{}</x>", " ".repeat(3_000_000));
    for signer in [&corp.idp.key, &KeyPair::rsa(2048).key] {
        let query = signed_query(&swollen, signer);
        assert!(query.len() < 7_000, "{}", query.len());
        let asked = corp
            .bench
            .browser()
            .go(&format!("/.portcullis/saml/corp/slo?{query}"));
        assert_eq!(asked.status, 401);
    }
}

/// A request in an address, signed beside it (SAML 2.0 bindings §3.4.4.1).
pub fn signed_query(xml: &str, key: &PKey<Private>) -> String {
    signed_query_as(xml, key, str::to_owned)
}

const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// As [`signed_query`], with escapes that are written like this.
pub fn signed_query_as(xml: &str, key: &PKey<Private>, digits: fn(&str) -> String) -> String {
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
    deflated.write_all(xml.as_bytes()).unwrap();
    let escaped = |text: &str| {
        let pieces = utf8_percent_encode(text, KEPT);
        let written = pieces.map(|piece| {
            if piece.starts_with('%') {
                digits(piece)
            } else {
                piece.to_owned()
            }
        });
        written.collect::<String>()
    };
    let query = format!(
        "SAMLRequest={}&SigAlg={}",
        escaped(&BASE64.encode(deflated.finish().unwrap())),
        escaped("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")
    );
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    let signature = signer.sign_oneshot_to_vec(query.as_bytes()).unwrap();
    format!("{query}&Signature={}", escaped(&BASE64.encode(signature)))
}
