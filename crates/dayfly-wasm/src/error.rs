//! Why a module, an image or a delta was not accepted.

use wasmparser::WasmFeatures;

/// Everything but [`Error::Internal`] is the fault of whoever made the input, and says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a valid module.
    #[error("not a valid module: {reason} (at offset {offset:#x})")]
    Malformed {
        /// What is wrong.
        reason: String,
        /// Where, in octets from the beginning of the module.
        offset: u64,
    },
    /// Valid perhaps, but built with something that programs may not use.
    #[error("the module uses {feature}, which is not supported")]
    Unsupported {
        /// Name of the feature.
        feature: String,
    },
    /// An import that is no hostcall.
    #[error("the module imports `{module}` `{name}`: {reason}")]
    Import {
        /// The module it is imported from.
        module: String,
        /// Its name.
        name: String,
        /// Why it is refused.
        reason: String,
    },
    /// An export that is missing, or not what the ABI says.
    #[error("export `{name}`: {reason}")]
    Export {
        /// Its name.
        name: String,
        /// What it should be.
        reason: String,
    },
    /// Too much of something.
    #[error("{what}: {found}, at most {max} are allowed")]
    Limit {
        /// What is counted, with its unit.
        what: &'static str,
        /// How much the module has.
        found: u64,
        /// How much is allowed.
        max: u64,
    },
    /// An option has no sensible value.
    #[error("`memory_bytes_max` is {0}, it must be a multiple of 65536 from 65536 to 4294901760")]
    MemoryBytesMax(u64),
    /// An encoded image or delta is damaged, or does not belong to what it is applied to.
    #[error("{what}: {reason}")]
    Damaged {
        /// `image` or `delta`.
        what: &'static str,
        /// What does not fit.
        reason: &'static str,
    },
    /// A component and a side module cannot be merged.
    #[error("{part}: {reason}")]
    Unlinked {
        /// Which of the two.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Our own fault: the rewritten module is not valid.
    #[error("the module that was made is not valid: {0}")]
    Internal(String),
}

impl From<wasmparser::Error> for Error {
    fn from(error: wasmparser::Error) -> Error {
        match error.missing_wasm_feature() {
            Some(feature) => Error::Unsupported { feature: feature_name(feature) },
            None => Error::Malformed { reason: error.message().to_owned(), offset: error.offset() },
        }
    }
}

/// Names like `relaxed-simd`, as the proposals are called.
fn feature_name(features: WasmFeatures) -> String {
    let names: Vec<String> = features.iter_names().map(|(name, _)| name.to_lowercase().replace('_', "-")).collect();
    names.join(", ")
}
