//! The agent's own counters: the snmp group (RFC 3418), the message processing and security statistics
//! (RFC 3412, RFC 3414).

/// Which counter; each is the last number of its object where that is in the snmp group.
pub(crate) mod counter {
    /// snmpInPkts.
    pub(crate) const IN_PACKETS: usize = 1;
    /// snmpOutPkts.
    pub(crate) const OUT_PACKETS: usize = 2;
    /// snmpInBadVersions.
    pub(crate) const IN_BAD_VERSIONS: usize = 3;
    /// snmpInBadCommunityNames.
    pub(crate) const IN_BAD_COMMUNITY_NAMES: usize = 4;
    /// snmpInBadCommunityUses.
    pub(crate) const IN_BAD_COMMUNITY_USES: usize = 5;
    /// snmpInASNParseErrs.
    pub(crate) const IN_ASN_PARSE_ERRORS: usize = 6;
    /// snmpInTotalReqVars.
    pub(crate) const IN_TOTAL_REQUEST_VARIABLES: usize = 13;
    /// snmpInTotalSetVars.
    pub(crate) const IN_TOTAL_SET_VARIABLES: usize = 14;
    /// snmpInGetRequests.
    pub(crate) const IN_GET_REQUESTS: usize = 15;
    /// snmpInGetNexts.
    pub(crate) const IN_GET_NEXTS: usize = 16;
    /// snmpInSetRequests.
    pub(crate) const IN_SET_REQUESTS: usize = 17;
    /// snmpOutTooBigs.
    pub(crate) const OUT_TOO_BIGS: usize = 20;
    /// snmpOutNoSuchNames.
    pub(crate) const OUT_NO_SUCH_NAMES: usize = 21;
    /// snmpOutBadValues.
    pub(crate) const OUT_BAD_VALUES: usize = 22;
    /// snmpOutGetResponses.
    pub(crate) const OUT_GET_RESPONSES: usize = 28;
    /// snmpSilentDrops.
    pub(crate) const SILENT_DROPS: usize = 31;
    /// usmStatsUnsupportedSecLevels; the six of the user-based security model follow each other.
    pub(crate) const UNSUPPORTED_SECURITY_LEVELS: usize = 33;
    /// usmStatsNotInTimeWindows.
    pub(crate) const NOT_IN_TIME_WINDOWS: usize = 34;
    /// usmStatsUnknownUserNames.
    pub(crate) const UNKNOWN_USER_NAMES: usize = 35;
    /// usmStatsUnknownEngineIDs.
    pub(crate) const UNKNOWN_ENGINE_IDS: usize = 36;
    /// usmStatsWrongDigests.
    pub(crate) const WRONG_DIGESTS: usize = 37;
    /// usmStatsDecryptionErrors.
    pub(crate) const DECRYPTION_ERRORS: usize = 38;
    /// snmpUnknownSecurityModels.
    pub(crate) const UNKNOWN_SECURITY_MODELS: usize = 39;
    /// snmpInvalidMsgs.
    pub(crate) const INVALID_MESSAGES: usize = 40;
    /// snmpUnknownContexts.
    pub(crate) const UNKNOWN_CONTEXTS: usize = 41;
    /// How many there are.
    pub(crate) const COUNT: usize = 42;
}

/// The counters since the agent was started.
#[derive(Clone, Debug)]
pub(crate) struct Stats([u32; counter::COUNT]);

impl Default for Stats {
    fn default() -> Self {
        Stats([0; counter::COUNT])
    }
}

impl Stats {
    /// Counts one.
    pub(crate) fn add(&mut self, index: usize, by: usize) {
        if let Some(count) = self.0.get_mut(index) {
            *count = count.wrapping_add(by as u32);
        }
    }

    /// How many; 0 for a counter that does not exist.
    pub(crate) fn get(&self, index: usize) -> u32 {
        self.0.get(index).copied().unwrap_or(0)
    }
}
