//! Variables and settings of the AWS SDK that are empty, damaged or without a scheme.

mod endpoints;
mod files;
mod profiles;
mod support;
mod values;
