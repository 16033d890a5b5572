"""The audit is audited: planted records that it must find, shuffled memberships that it must not."""
