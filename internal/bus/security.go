package bus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

// secure adds TLS and SASL to s.
func (c Config) secure(s *sarama.Config) error {
	if err := c.secureConnection(s); err != nil {
		return err
	}
	if c.SASLMechanism == "" {
		if c.SASLUsername != "" || c.SASLPassword != "" {
			return errors.New("KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD is set, but not KAFKA_SASL_MECHANISM")
		}
		return nil
	}
	s.Net.SASL.Enable = true
	s.Net.SASL.User = c.SASLUsername
	s.Net.SASL.Password = c.SASLPassword
	s.Net.SASL.Mechanism = sarama.SASLMechanism(c.SASLMechanism)
	switch s.Net.SASL.Mechanism {
	case sarama.SASLTypePlaintext:
	case sarama.SASLTypeSCRAMSHA256:
		s.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA256} }
	case sarama.SASLTypeSCRAMSHA512:
		s.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA512} }
	default:
		return fmt.Errorf("KAFKA_SASL_MECHANISM is %q, want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", c.SASLMechanism)
	}
	if c.SASLUsername == "" || c.SASLPassword == "" {
		return errors.New("KAFKA_SASL_MECHANISM is set, but not both KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
	}
	return nil
}

func (c Config) secureConnection(s *sarama.Config) error {
	if !c.TLS {
		if c.TLSCAFile != "" || c.TLSCertFile != "" || c.TLSKeyFile != "" {
			return errors.New("a KAFKA_TLS_… file is set, but not KAFKA_TLS")
		}
		return nil
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSCAFile != "" {
		pem, err := os.ReadFile(c.TLSCAFile)
		if err != nil {
			return fmt.Errorf("KAFKA_TLS_CA_FILE: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("KAFKA_TLS_CA_FILE: %s holds no PEM certificate", c.TLSCAFile)
		}
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		return errors.New("KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE go together, but only one is set")
	}
	if c.TLSCertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
		if err != nil {
			return fmt.Errorf("KAFKA_TLS_CERT_FILE, KAFKA_TLS_KEY_FILE: %w", err)
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	s.Net.TLS.Enable = true
	s.Net.TLS.Config = settings
	return nil
}

// scramClient is one SCRAM conversation (RFC 5802) in the form that sarama wants.
type scramClient struct {
	hash         scram.HashGeneratorFcn
	conversation *scram.ClientConversation
}

func (c *scramClient) Begin(user, password, authzID string) error {
	client, err := c.hash.NewClient(user, password, authzID)
	if err != nil {
		return fmt.Errorf("begin SCRAM: %w", err)
	}
	c.conversation = client.NewConversation()
	return nil
}

func (c *scramClient) Step(challenge string) (string, error) { return c.conversation.Step(challenge) }

func (c *scramClient) Done() bool { return c.conversation.Done() }
