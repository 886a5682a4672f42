//! Plain HTTP, a connection for each request.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{HOST, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use tokio::net::TcpStream;

/// The longest that a request may take. A store tries again what can be tried again.
const LONGEST: Duration = Duration::from_secs(120);

/// A client without TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

impl HttpConnector for Plain {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Self))
    }
}

#[async_trait]
impl HttpService for Plain {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answered = tokio::time::timeout(LONGEST, answered(request)).await;
        answered.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?
    }
}

async fn answered(mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let (host, port) = place(&request)?;
    let name = format!("{host}:{port}");
    let stream = TcpStream::connect((host.as_str(), port))
        .await
        .map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
    let failed = |error| HttpError::new(HttpErrorKind::Request, error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends with the request; its error is that of the request too.
    tokio::spawn(connection);
    if !request.headers().contains_key(HOST) {
        let host = HeaderValue::from_str(&name).map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        request.headers_mut().insert(HOST, host);
    }
    // A server that is no proxy wants the path alone.
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = path.into();
    }
    let (parts, body) = sender.send_request(request).await.map_err(failed)?.into_parts();
    let cut = |error| HttpError::new(HttpErrorKind::Interrupted, error);
    let bytes = body.collect().await.map_err(cut)?.to_bytes();
    Ok(HttpResponse::from_parts(parts, bytes.into()))
}

/// The host and the port of a request.
fn place(request: &HttpRequest) -> Result<(String, u16), HttpError> {
    let uri = request.uri();
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(host)) => Ok((host.trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(80))),
        _ => {
            let problem: Box<dyn Error + Send + Sync> =
                format!("`{uri}` is not plain HTTP, and this build speaks no TLS: set AWS_ENDPOINT to http://HOST")
                    .into();
            Err(HttpError::new_boxed(HttpErrorKind::Unknown, problem))
        }
    }
}
