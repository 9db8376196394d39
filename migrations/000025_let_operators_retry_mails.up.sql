-- orderbell mail: retry makes mails due again, suppressions remove takes an address off the list.
GRANT UPDATE (status, reason, held, next_attempt_at, lease_until) ON email_deliveries TO orderbell_operator;
GRANT DELETE ON mail_suppressions TO orderbell_operator;
