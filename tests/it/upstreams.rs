//! Backends that are down, slow, broken, several, or speak TLS or WebSocket.

mod broken;
mod circuit;
mod hostile_answers;
mod http2;
mod http2_answers;
mod late_bytes;
mod mlserver;
mod provisioning;
mod retries;
mod several;
mod slow;
mod tls;
mod websocket;
