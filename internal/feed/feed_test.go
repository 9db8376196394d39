package feed_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"orderbell/internal/feed/feedtest"
)

func TestConformanceOfTheStandIn(t *testing.T) {
	t.Parallel()
	feedtest.Suite(t, "redis://"+miniredis.RunT(t).Addr())
}
