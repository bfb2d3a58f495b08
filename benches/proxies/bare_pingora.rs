//! A Pingora proxy that checks nothing: what Portcullis is measured beside.
//!
//! `bare-pingora LISTEN BACKEND THREADS [work-stealing]`; addresses are `IP:PORT`. It speaks
//! HTTP/1.1 and HTTP/2 in cleartext to clients, HTTP/1.1 to the backend, as Portcullis does.

use std::env::args;
use std::error::Error;
use std::net::SocketAddr;

use async_trait::async_trait;
use pingora::apps::HttpServerOptions;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;

struct Bare {
    backend: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(
        &self,
        _: &mut Session,
        (): &mut Self::CTX,
    ) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.backend, false, String::new())))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = args().skip(1);
    let mut next = || args.next().ok_or("LISTEN BACKEND THREADS are wanted");
    let (listen, backend, threads) = (next()?, next()?.parse()?, next()?.parse()?);
    let conf = ServerConf {
        threads,
        work_stealing: args.next().as_deref() == Some("work-stealing"),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Bare { backend });
    service.add_tcp(&listen);
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    service
        .app_logic_mut()
        .ok_or("a service without a proxy")?
        .server_options = Some(options);
    server.add_service(service);
    server.run_forever();
}
