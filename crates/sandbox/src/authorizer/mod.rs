//! Custom authorizers, as the developer guide's [custom authentication] describes them.
//!
//! A client names an authorizer, and gives it a user name, a password, a token. AWS IoT checks the token's signature,
//! where the authorizer asks for one, and then invokes the authorizer's Lambda function with a JSON document; the
//! function answers with another, which holds the policies of this one connection. Here an [`Authorizer`] is both the
//! entry of AWS's table and the function.
//!
//! Nothing in this module does I/O: the gate asks [`AuthorizerTable::authorize`] at CONNECT, and keeps the time that
//! the answer gives the connection.
//!
//! [custom authentication]: https://docs.aws.amazon.com/iot/latest/developerguide/custom-authentication.html

mod answer;
mod definition;
mod examples;
mod refusal;
mod request;
mod signature;
mod statements;
mod table;

pub use definition::{Authorizer, TokenSigning};
pub use examples::{AuthorizerExample, Authorizers, SignedAuthorizerExample};
pub use table::AuthorizerCall;

pub(crate) use examples::Examples;
pub(crate) use refusal::Refusal;
pub(crate) use request::{ConnectRequest, Handshake, HttpData};
pub(crate) use statements::merge;
pub(crate) use table::{AuthorizerTable, Grant};
