package mongotest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The parts of the wire protocol that are looked at: a header of four int32 (length, request, answered
// request, opcode), and where a message's first document begins.
const (
	headerSize = 16
	maxMessage = 48_000_000 // bytes; MongoDB's own limit

	opReply = 1    // then flags, cursor, start and number of documents
	opQuery = 2004 // then flags, a name that ends with 0, and two numbers: only the handshake
	opMsg   = 2013 // then flags, and the kind of the first section

	replyDoc = headerSize + 4 + 8 + 4 + 4
	msgDoc   = headerSize + 4 + 1
)

func message(r io.Reader) ([]byte, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	size := int(binary.LittleEndian.Uint32(header))
	if size < headerSize || size > maxMessage {
		return nil, fmt.Errorf("message of %d bytes", size)
	}
	all := append(header, make([]byte, size-headerSize)...)
	_, err := io.ReadFull(r, all[headerSize:])
	return all, err
}

func opcode(message []byte) uint32 { return binary.LittleEndian.Uint32(message[12:]) }

// body is the first document of a message; nil: there is none.
func body(message []byte) bson.Raw {
	if len(message) < msgDoc {
		return nil
	}
	begin := msgDoc
	switch opcode(message) {
	case opReply:
		begin = replyDoc
	case opQuery:
		name := bytes.IndexByte(message[headerSize+4:], 0)
		begin = headerSize + 4 + name + 1 + 8
	}
	if len(message) < begin {
		return nil
	}
	doc, err := bson.ReadDocument(bytes.NewReader(message[begin:]))
	if err != nil {
		return nil
	}
	return doc
}

// commandOf is the name of a command: the first one of its document, or handshake.
func commandOf(request []byte) string {
	elements, err := body(request).Elements()
	switch {
	case err != nil || len(elements) == 0:
		return ""
	case opcode(request) == opQuery:
		return "handshake"
	}
	return elements[0].Key()
}

// collectionOf is the name of the collection of a command; empty: it has none.
func collectionOf(request []byte) string {
	elements, err := body(request).Elements()
	if err != nil || len(elements) == 0 {
		return ""
	}
	if name, ok := elements[0].Value().StringValueOK(); ok {
		return name
	}
	name, _ := body(request).Lookup("collection").StringValueOK() // of getMore
	return name
}

// sequence is what a request has several of, one document after another: what it inserts, or its updates. They follow
// its first document, after their kind, a size and a name.
func sequence(request []byte) []byte {
	rest := request[msgDoc+len(body(request)):]
	if len(rest) < 1+4 || rest[0] != 1 {
		return nil
	}
	rest = rest[1+4 : min(len(rest), 1+int(binary.LittleEndian.Uint32(rest[1:])))]
	return rest[bytes.IndexByte(rest, 0)+1:]
}

// reply is an answer to a request.
func reply(request []byte, answer bson.D) []byte {
	doc, err := bson.Marshal(answer)
	if err != nil {
		panic(err)
	}
	code, size := uint32(opMsg), msgDoc
	if opcode(request) == opQuery {
		code, size = opReply, replyDoc
	}
	message := make([]byte, size, size+len(doc))
	binary.LittleEndian.PutUint32(message, uint32(size+len(doc)))
	copy(message[8:12], request[4:8])
	binary.LittleEndian.PutUint32(message[12:], code)
	if code == opReply {
		binary.LittleEndian.PutUint32(message[replyDoc-4:], 1)
	}
	return append(message, doc...)
}
