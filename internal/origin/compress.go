package origin

import (
	"fmt"
	"net/http"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// streams is the path of answers that are never compressed (docs/adr/0005): a frame is sent as it comes.
const streams = "/api/sse"

// compressed has h answer in gzip where the client takes it and the answer is worth it: JSON, problems, pages, but not what is
// encoded already, as the files of the build are.
//
// It holds no memory for a client between two writes, so that slow readers cost nothing: a page of 500 orders becomes a fifth
// of its size rather than a sixth. The ETag stays: it names the version of an order or a user, for If-Match, and no ranges are
// served of what is compressed here. Tokens are in a header that no other site can make a browser send, so that a guess of a
// secret by the size of an answer (BREACH) has nothing to begin with.
func compressed(h http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.CompressionLevel(gzip.StatelessCompression),
		gzhttp.MinSize(worthwhile),
		gzhttp.EnableZstd(false), // an encoder has a window for each client
		gzhttp.ExceptContentTypes([]string{"text/event-stream", "image/png"}),
	)
	if err != nil {
		panic(fmt.Sprintf("options of the compression: %v", err)) // they are the constants above
	}
	return wrap(h)
}

// worthwhile is how many bytes an answer has to have: less than that fits a packet anyhow.
const worthwhile = 1024
