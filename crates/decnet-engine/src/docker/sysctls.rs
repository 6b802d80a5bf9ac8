//! Which kernel settings this kernel has in a network namespace: one that it refuses would keep the
//! container from starting.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;

use decnet_compose::Platform;
use decnet_net::{Namespace, links};

/// Takes out of the platform what this kernel does not take; returns the names.
pub(super) fn retain_supported(platform: &mut Platform) -> BTreeSet<String> {
    let wanted: BTreeMap<String, String> =
        platform.sysctls.values().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    let refused = Namespace::create().and_then(|namespace| {
        namespace.run(|| {
            Ok(wanted
                .iter()
                .filter(|(name, value)| !is_writable(name) || links::sysctl(&path(name), value).is_err())
                .map(|(name, _)| name.clone())
                .collect::<BTreeSet<_>>())
        })
    });
    // Without a namespace to try in, Docker itself will tell.
    let refused = refused.unwrap_or_default();
    for settings in platform.sysctls.values_mut() {
        settings.retain(|name, _| !refused.contains(name));
    }
    refused
}

/// Where a setting stands: a dot in its name is a slash, as sysctl(8) has it.
pub(super) fn path(name: &str) -> String {
    name.replace('.', "/")
}

fn is_writable(name: &str) -> bool {
    OpenOptions::new().write(true).open(format!("/proc/sys/{}", path(name))).is_ok()
}

#[cfg(test)]
mod tests {
    use decnet_core::identity::OsFamily;

    use super::*;

    #[test]
    fn what_the_kernel_has_not_is_left_out() {
        let settings = BTreeMap::from([
            ("net.ipv4.ip_default_ttl".to_owned(), "128".to_owned()),
            ("net.ipv4.no_such_setting".to_owned(), "1".to_owned()),
        ]);
        let mut platform =
            Platform { sysctls: BTreeMap::from([(OsFamily::Linux, settings)]), ..Platform::default() };
        if Namespace::create().is_err() {
            // Without the right to a namespace nothing is tried, and nothing left out.
            assert!(retain_supported(&mut platform).is_empty());
            return;
        }
        let refused = retain_supported(&mut platform);
        assert_eq!(refused.into_iter().collect::<Vec<_>>(), ["net.ipv4.no_such_setting"]);
        assert_eq!(platform.sysctls[&OsFamily::Linux].len(), 1);
    }
}
