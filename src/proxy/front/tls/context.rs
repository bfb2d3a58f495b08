//! The OpenSSL contexts of an address: one a certificate, chosen by the name asked for.

use std::collections::HashMap;

use openssl::error::ErrorStack;
use openssl::ssl::{
    AlpnError, NameType, SniError, SslAcceptor, SslAcceptorBuilder, SslAlert, SslContext,
    SslMethod, SslOptions, SslRef, SslSessionCacheMode, SslVerifyMode, SslVersion,
    select_next_proto,
};
use openssl::x509::store::X509StoreBuilder;

use crate::config::{ClientCertificates, ListenerTls, ServerCertificate, TlsVersion, UnknownName};

/// In the order of preference, each with its length before it.
const WITH_HTTP2: &[u8] = b"\x02h2\x08http/1.1";
const WITHOUT_HTTP2: &[u8] = b"\x08http/1.1";

/// Contexts by name: exact ones, and `*.parent`.
struct Names {
    contexts: HashMap<String, SslContext>,
    unknown: UnknownName,
}

/// What handshakes begin with: the first certificate, and the way to the others.
pub(super) fn acceptor(settings: &ListenerTls, http2: bool) -> Result<SslAcceptor, ErrorStack> {
    let mut contexts = HashMap::new();
    for certificate in &settings.certificates {
        let context = builder(settings, certificate, http2)?.build();
        let context = context.into_context();
        for name in certificate.names() {
            // The first that has a name answers for it.
            contexts
                .entry(name.clone())
                .or_insert_with(|| context.clone());
        }
    }
    let names = Names {
        contexts,
        unknown: settings.unknown_name,
    };
    // The configuration has at least one.
    let first = &settings.certificates[0];
    let mut acceptor = builder(settings, first, http2)?;
    acceptor.set_servername_callback(move |ssl, alert| names.choose(ssl, alert));
    Ok(acceptor.build())
}

impl Names {
    fn choose(&self, ssl: &mut SslRef, alert: &mut SslAlert) -> Result<(), SniError> {
        let asked = ssl.servername(NameType::HOST_NAME);
        match asked.and_then(|name| self.find(name)) {
            Some(context) => ssl
                .set_ssl_context(context)
                .map_err(|_| SniError::ALERT_FATAL),
            None if self.unknown == UnknownName::Default => Ok(()),
            None => {
                *alert = SslAlert::UNRECOGNIZED_NAME;
                Err(SniError::ALERT_FATAL)
            }
        }
    }

    /// A wildcard stands for exactly one label (RFC 9525 §6.3).
    fn find(&self, name: &str) -> Option<&SslContext> {
        let name = name.to_ascii_lowercase();
        let exact = self.contexts.get(&name);
        exact.or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.contexts.get(&format!("*.{parent}"))
        })
    }
}

/// All contexts of an address differ in nothing but the certificate: some settings are
/// taken from the first one, some from the chosen one.
fn builder(
    settings: &ListenerTls,
    certificate: &ServerCertificate,
    http2: bool,
) -> Result<SslAcceptorBuilder, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(match settings.min_version {
        TlsVersion::V1_2 => SslVersion::TLS1_2,
        TlsVersion::V1_3 => SslVersion::TLS1_3,
    }))?;
    builder.set_options(SslOptions::NO_RENEGOTIATION);
    // The socket is not buffered: one read a record, not two.
    builder.set_read_ahead(true);
    // Sessions are resumed by tickets, which the client keeps.
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    let protocols = if http2 { WITH_HTTP2 } else { WITHOUT_HTTP2 };
    // A client that wants to speak something else gets no connection (RFC 7301 §3.2).
    builder.set_alpn_select_callback(move |_, offered| {
        select_next_proto(protocols, offered).ok_or(AlpnError::ALERT_FATAL)
    });
    certificate.install(&mut builder)?;
    if let Some(client) = &settings.client_certificates {
        ask_for_certificates(&mut builder, client)?;
    }
    Ok(builder)
}

fn ask_for_certificates(
    builder: &mut SslAcceptorBuilder,
    client: &ClientCertificates,
) -> Result<(), ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for authority in &client.authorities.certificates {
        store.add_cert(authority.clone())?;
        builder.add_client_ca(authority)?;
    }
    builder.set_verify_cert_store(store.build())?;
    let mut mode = SslVerifyMode::PEER;
    if client.required {
        mode |= SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    }
    builder.set_verify(mode);
    // A resumed session is not verified again: each connection proves itself.
    builder.set_options(SslOptions::NO_TICKET);
    builder.set_num_tickets(0)
}
