package origin

import (
	"fmt"
	"net/http"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// compressed compresses the responses of h with gzip if the client accepts it and they are large enough: JSON, problems and pages,
// but not responses that are already encoded, such as the files of the build.
//
// It holds no memory for a client between two writes, so that slow readers cost nothing. The price is compression to a fifth
// instead of a sixth for a page of 500 orders. The ETag does not change: it names the version of an order or a user, for If-Match,
// and no ranges of compressed responses are served. Another site cannot guess secrets by the size of responses (BREACH), because
// it cannot make a browser send the header with the token.
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

// worthwhile is the smallest size to compress, in bytes: a smaller response fits into one packet anyway.
const worthwhile = 1024
