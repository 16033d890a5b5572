"""What a run shows: one file a report, each made from the audits as `AuditResult.to_dict` gives them."""
