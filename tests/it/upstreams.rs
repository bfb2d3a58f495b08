//! Backends that are down, slow, broken, several, or speak TLS or WebSocket.

mod broken;
mod several;
mod tls;
mod websocket;
