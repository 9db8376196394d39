package bus_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderbell/internal/bus"
	"orderbell/internal/dev/embedded"
)

func TestSecurity(t *testing.T) {
	t.Parallel()
	certificate, caFile := authority(t)
	for _, mechanism := range []string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run("TLS and SASL "+mechanism, func(t *testing.T) {
			t.Parallel()
			options := embedded.KafkaOptions{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}
			c := bus.Config{Topic: "events", DeadLetterTopic: "dead", TLS: true, TLSCAFile: caFile}
			if mechanism != "" {
				options.SASLMechanism, options.SASLUser, options.SASLPassword = mechanism, "relay", "pass,word="
				c.SASLMechanism, c.SASLUsername, c.SASLPassword = mechanism, "relay", "pass,word="
			}
			kafka, err := embedded.StartKafka(options)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(kafka.Stop)
			c.Brokers = []string{kafka.Brokers()}
			ensure := func(c bus.Config) error {
				admin, err := bus.NewAdmin(c)
				if err != nil {
					t.Fatal(err)
				}
				defer admin.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				return admin.EnsureTopics(ctx, 1, 1)
			}
			if err := ensure(c); err != nil {
				t.Error(err)
			}
			stranger := c
			stranger.TLSCAFile = ""
			if err := ensure(stranger); err == nil {
				t.Error("a certificate of an unknown authority is accepted")
			}
			if mechanism != "" {
				stranger = c
				stranger.SASLPassword = "guess"
				if err := ensure(stranger); err == nil {
					t.Error("a wrong password is accepted")
				}
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, caFile := authority(t)
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		config bus.Config
		want   string
	}{
		"no broker":                   {bus.Config{}, "KAFKA_BROKERS names no broker"},
		"an authority without TLS":    {bus.Config{TLSCAFile: caFile}, "not KAFKA_TLS"},
		"an authority that is absent": {bus.Config{TLS: true, TLSCAFile: "absent.pem"}, "KAFKA_TLS_CA_FILE: open absent.pem"},
		"an invalid authority":        {bus.Config{TLS: true, TLSCAFile: notPEM}, "holds no PEM certificate"},
		"a certificate without key":   {bus.Config{TLS: true, TLSCertFile: caFile}, "go together"},
		"a key that does not fit":     {bus.Config{TLS: true, TLSCertFile: caFile, TLSKeyFile: caFile}, "KAFKA_TLS_KEY_FILE"},
		"a mechanism unknown": {
			bus.Config{SASLMechanism: "GSSAPI", SASLUsername: "u", SASLPassword: "p"}, `KAFKA_SASL_MECHANISM is "GSSAPI"`,
		},
		"a password without mechanism": {bus.Config{SASLPassword: "p"}, "not KAFKA_SASL_MECHANISM"},
		"a mechanism without password": {bus.Config{SASLMechanism: "PLAIN", SASLUsername: "u"}, "KAFKA_SASL_PASSWORD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "no broker" {
				tt.config.Brokers = []string{"127.0.0.1:9092"}
			}
			_, producerErr := bus.NewProducer(tt.config)
			_, consumerErr := bus.NewConsumer(tt.config, bus.Latest, slog.New(slog.DiscardHandler))
			_, adminErr := bus.NewAdmin(tt.config)
			for _, err := range []error{producerErr, consumerErr, adminErr} {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q in it", err, tt.want)
				}
			}
		})
	}
}

// authority makes a certificate for 127.0.0.1 and a file with the authority that signed it: itself.
func authority(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
