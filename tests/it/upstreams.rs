//! Backends that are down, slow, broken, several, or speak TLS or WebSocket.

mod broken;
mod circuit;
mod hostile_answers;
mod http2;
mod late_bytes;
mod mlserver;
mod retries;
mod several;
mod slow;
mod tls;
mod websocket;
