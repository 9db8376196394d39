REVOKE DELETE ON users FROM orderbell_api;
