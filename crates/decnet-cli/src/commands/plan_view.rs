//! A plan for people.

use decnet_core::Plan;
use decnet_core::service::Port;

use crate::output::count;
use crate::table::table;

/// The fleet as a table.
pub(crate) fn plan_table(plan: &Plan) -> String {
    let rows = plan.deckies.iter().map(|decky| {
        let services: Vec<String> = decky
            .services
            .iter()
            .map(|service| {
                let ports: Vec<String> = service.ports.iter().map(Port::to_string).collect();
                format!("{} {}", service.slug, ports.join(" "))
            })
            .collect();
        [
            decky.name.clone(),
            decky.address.to_string(),
            decky.mac.to_string(),
            decky.identity.names.hostname.clone(),
            decky.identity.os.name.clone(),
            decky.archetype.clone().unwrap_or_default(),
            services.join(", "),
        ]
    });
    table(["decky", "address", "MAC", "host name", "system", "role", "services and ports"], rows)
}

/// The fleet in one line.
pub(crate) fn plan_line(plan: &Plan) -> String {
    let interface = plan.network.interface.as_deref().unwrap_or("no interface");
    format!(
        "{}: {} on {} ({interface}), gateway {}, domain {}, seed {}",
        plan.fleet,
        count(plan.deckies.len(), "decky"),
        plan.network.subnet,
        plan.network.gateway,
        plan.domain,
        plan.seed
    )
}
