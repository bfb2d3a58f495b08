//! A TLS client that does as it is told.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslRef, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;

use super::certificates::Pair;
use super::raw::{Connection, Wire, patient};

/// What a client asks for.
#[derive(Clone, Copy, Default)]
pub struct Hello<'a> {
    /// Server name.
    pub name: Option<&'a str>,
    /// Lowest and highest version; by default what OpenSSL likes.
    pub version: Option<SslVersion>,
    /// Protocols, each with its length before it.
    pub alpn: &'a [u8],
    /// Its own certificate.
    pub certificate: Option<&'a Pair>,
    /// Sent before the handshake.
    pub before: &'a [u8],
}

/// A connection, and what its handshake agreed on.
pub struct Secured {
    /// The connection.
    pub connection: Connection,
    /// The server's certificate.
    pub certificate: X509,
    /// The protocol that was chosen.
    pub alpn: Option<Vec<u8>>,
    /// The version of TLS.
    pub version: SslVersion,
}

impl Hello<'_> {
    /// Connects; the error is the handshake's.
    pub fn connect(&self, address: SocketAddr) -> Result<Secured, String> {
        let mut socket = patient(TcpStream::connect(address).unwrap());
        socket.write_all(self.before).unwrap();
        let mut ssl = Ssl::new(&self.context()).unwrap();
        if let Some(name) = self.name {
            ssl.set_hostname(name).unwrap();
        }
        let stream = ssl.connect(socket).map_err(|error| error.to_string())?;
        Ok(Secured {
            certificate: stream.ssl().peer_certificate().unwrap(),
            alpn: stream.ssl().selected_alpn_protocol().map(<[u8]>::to_vec),
            version: version(stream.ssl()),
            connection: Connection::over(Quiet(stream)),
        })
    }

    fn context(&self) -> SslContext {
        let mut context = SslContextBuilder::new(SslMethod::tls_client()).unwrap();
        // Which certificate came is what a test looks at.
        context.set_verify(SslVerifyMode::NONE);
        if let Some(version) = self.version {
            context.set_min_proto_version(Some(version)).unwrap();
            context.set_max_proto_version(Some(version)).unwrap();
            // Versions that OpenSSL would not even offer by itself.
            context.set_cipher_list("DEFAULT:@SECLEVEL=0").unwrap();
        }
        if !self.alpn.is_empty() {
            context.set_alpn_protos(self.alpn).unwrap();
        }
        if let Some(own) = self.certificate {
            context.set_certificate(&own.certificate).unwrap();
            context.set_private_key(&own.key).unwrap();
        }
        context.build()
    }
}

fn version(ssl: &SslRef) -> SslVersion {
    ssl.version2().unwrap()
}

/// An end without a farewell is an end too.
struct Quiet(SslStream<TcpStream>);

impl Read for Quiet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => error,
            _ => io::ErrorKind::ConnectionReset.into(),
        })
    }
}

impl Wire for Quiet {
    fn socket(&self) -> &TcpStream {
        self.0.get_ref()
    }
}

impl Write for Quiet {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
