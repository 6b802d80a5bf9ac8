//! What the containers of a decky are told about it.

use decnet_core::Decky;

/// The decky as its containers may know it, as JSON of [`Decky`]: all that its servers show, without what
/// only the operator calls it. Its name is replaced by its host name, its group and archetype are left out
/// (who speaks on a log socket is known by the socket). It holds the identity's seed, from which keys are
/// made, so on the host only root and the containers' user read it.
///
/// # Errors
/// A decky that cannot be written as JSON.
pub fn host_file(decky: &Decky) -> Result<String, serde_json::Error> {
    let told = Decky {
        name: decky.identity.names.hostname.clone(),
        group: String::new(),
        archetype: None,
        ..decky.clone()
    };
    serde_json::to_string(&told)
}
