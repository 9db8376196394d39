DROP TRIGGER users_email_mailable_update ON users;
DROP TRIGGER users_email_mailable_insert ON users;
DROP FUNCTION check_mail_address();
DROP FUNCTION is_mail_address(text);
