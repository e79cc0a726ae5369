use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a layer reads from and writes to.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, whatever it is made of.
pub type Stream = Box<dyn Io>;

/// Does `work`, which needs `connection` to be driven meanwhile: in one task, so that a panic of either is the caller's.
///
/// Both are boxed where they are made: the compiler cannot tell otherwise that they are [`Send`].
pub(crate) async fn driving<T>(
    connection: BoxFuture<'static, hyper::Result<()>>,
    mut work: BoxFuture<'_, T>,
) -> T {
    tokio::select! {
        done = &mut work => done,
        _ = connection => work.await,
    }
}
