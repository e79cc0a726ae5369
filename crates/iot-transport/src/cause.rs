use std::error::Error;

/// A cause below one of our own errors.
pub type Cause = Box<dyn Error + Send + Sync>;
