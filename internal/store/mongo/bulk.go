package mongo

// bulks is how pages are written.
type bulks struct {
	size   int // updates of a command
	atOnce int // commands under way: a server waits for its disk, and for the majority, once for each
}

// FerretDB 1 has a hundred connections to its SQLite files and keeps one for each update of a command
// until the command ends: a hundred updates wait for each other forever.
var (
	manyBulks = bulks{256, 4}
	oneByOne  = bulks{64, 1} // FerretDB 1, and where a server does not say what it is
)
