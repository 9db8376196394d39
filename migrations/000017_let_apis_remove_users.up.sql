-- DELETE /api/users/{id}: with a user go their notifications and mails. Audit records stay.
GRANT DELETE ON users TO orderbell_api;
