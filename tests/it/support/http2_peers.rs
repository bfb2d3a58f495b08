//! HTTP/2 by prior knowledge: a backend and a client that show its frames as they are.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for the slowest machine; a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a backend; `handler` is given each request as it comes. Returns its address.
pub async fn backend<R>(
    handler: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> R + Send + Sync + 'static,
) -> SocketAddr
where
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Arc::new(handler);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve(stream, Arc::clone(&handler)));
        }
    });
    address
}

/// Serves one connection to its end.
pub async fn serve<R>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    handler: Arc<impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> R>,
) where
    R: Future<Output = ()> + Send + 'static,
{
    // Whoever speaks something else is told so by the library.
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(handler(request, respond));
    }
}

/// Reads a body to its end.
pub async fn read(body: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut read = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        read.extend_from_slice(&data);
    }
    Ok(read)
}

/// The head of an answer.
pub fn head(status: u16, fields: &[(&str, &str)]) -> Response<()> {
    let mut head = Response::builder().status(status);
    for (name, value) in fields {
        head = head.header(*name, *value);
    }
    head.body(()).unwrap()
}

/// Trailers, or other fields.
pub fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
    let parsed = fields
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
    parsed.collect()
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Option<HeaderMap>,
}

impl Reply {
    /// A header field's value, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// A trailer's value, empty if there is none.
    pub fn trailer(&self, name: &str) -> &str {
        let value = self.trailers.as_ref().and_then(|it| it.get(name));
        value.map_or("", |value| value.to_str().unwrap())
    }
}

/// A connection to the gateway.
#[derive(Clone)]
pub struct Client(SendRequest<Bytes>);

impl Client {
    /// Opens one.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        Self(send)
    }

    /// Sends a head; a body follows unless `end`.
    pub async fn send(
        &self,
        request: Request<()>,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.0.clone().ready().await?.send_request(request, end)
    }

    /// Sends a request with its body and reads the answer to its end.
    pub async fn call(&self, request: Request<()>, body: &[u8]) -> Result<Reply, h2::Error> {
        let (answer, mut sender) = self.send(request, body.is_empty()).await?;
        if !body.is_empty() {
            // Fails when the answer came first, and took the stream's other half with it.
            let _ = sender.send_data(Bytes::copy_from_slice(body), true);
        }
        reply(answer).await
    }
}

/// Reads an answer to its end.
pub async fn reply(answer: ResponseFuture) -> Result<Reply, h2::Error> {
    let read = async {
        let (head, mut body) = answer.await?.into_parts();
        Ok(Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: read(&mut body).await?,
            trailers: body.trailers().await?,
        })
    };
    tokio::time::timeout(PATIENCE, read).await.expect("a hang")
}

/// A request with a bearer key and more fields.
pub fn request(method: &str, target: &str, key: &str, more: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://gw{target}"))
        .header("authorization", format!("Bearer {key}"));
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}
