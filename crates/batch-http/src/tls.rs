//! The one TLS provider of the program.

use std::sync::Once;

/// Installs *ring* as the process's TLS provider, once; later calls do nothing.
///
/// Every constructor of ours that builds a client calls it, so that neither programs nor tests can
/// forget to: without a provider the HTTP clients of this workspace and Google's own panic, for
/// plain `http://` addresses too. A provider that was installed before stays.
pub fn init_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that a provider is there already: the program's choice, and as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
