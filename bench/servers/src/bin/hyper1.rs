//! hyper 1 with its defaults on one thread, answering a constant. `hyper1 --port NUMBER`

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use reference_servers::{PAGE, listener};
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, serve());
}

async fn serve() {
    let listener = TcpListener::from_std(listener()).expect("a listener");
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        spawn_local(async move {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(client), service_fn(hello)).await;
        });
    }
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(PAGE)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}
