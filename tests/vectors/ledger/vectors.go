// Writes the go_*.json vectors with golang.org/x/mod/sumdb/note and tlog, an implementation of
// signed notes and of the tree of RFC 6962 that shares nothing with ours. README.md says how to
// run it.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Set with -ldflags; the version of the package that holds golang.org/x/mod.
var modVersion = "unknown"

const (
	logName     = "log.example/attempts"
	witnessName = "witness.example/w1"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func madeBy() string {
	return fmt.Sprintf("golang.org/x/mod %s, %s", modVersion, runtime.Version())
}

func write(path string, value map[string]interface{}) {
	file, err := os.Create(path)
	check(err)
	encoder := json.NewEncoder(file)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	check(encoder.Encode(value))
	check(file.Close())
}

func read(path string, value interface{}) {
	content, err := os.ReadFile(path)
	check(err)
	check(json.Unmarshal(content, value))
}

func main() {
	write("go_tree.json", trees())
	write("go_note.json", notes())
	write("go_accepted.json", verdicts())
}

// ---- the tree ----

// The eight leaves that implementations of RFC 6962 commonly test with, then counted ones.
func leaves() [][]byte {
	var all [][]byte
	for _, text := range []string{
		"", "00", "10", "2021", "3031", "40414243", "5051525354555657",
		"606162636465666768696a6b6c6d6e6f",
	} {
		leaf, err := hex.DecodeString(text)
		check(err)
		all = append(all, leaf)
	}
	for i := len(all); i < 70; i++ {
		all = append(all, []byte(fmt.Sprintf("leaf %d", i)))
	}
	return all
}

type store []tlog.Hash

func (s store) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, index := range indexes {
		found = append(found, s[index])
	}
	return found, nil
}

func texts(hashes []tlog.Hash) []string {
	all := []string{}
	for _, each := range hashes {
		all = append(all, hex.EncodeToString(each[:]))
	}
	return all
}

func trees() map[string]interface{} {
	var stored store
	leafTexts := []string{}
	// This tlog leaves the root of the empty tree at zeros; RFC 6962 names it.
	empty := sha256.Sum256(nil)
	roots := []string{hex.EncodeToString(empty[:])}
	for i, leaf := range leaves() {
		added, err := tlog.StoredHashes(int64(i), leaf, stored)
		check(err)
		stored = append(stored, added...)
		root, err := tlog.TreeHash(int64(i+1), stored)
		check(err)
		leafTexts = append(leafTexts, hex.EncodeToString(leaf))
		roots = append(roots, hex.EncodeToString(root[:]))
	}
	inclusion, consistency := []interface{}{}, []interface{}{}
	for _, size := range []int64{1, 2, 3, 5, 7, 8, 13, 64, 70} {
		for index := int64(0); index < size; index += 1 + size/7 {
			proof, err := tlog.ProveRecord(size, index, stored)
			check(err)
			inclusion = append(inclusion, map[string]interface{}{
				"index": index, "proof": texts(proof), "size": size})
		}
		for old := int64(1); old <= size; old += 1 + size/7 {
			proof, err := tlog.ProveTree(size, old, stored)
			check(err)
			consistency = append(consistency, map[string]interface{}{
				"new_size": size, "old_size": old, "proof": texts(proof)})
		}
	}
	return map[string]interface{}{
		"about":       "Roots by size and proofs, in hexadecimal, as tlog computes them.",
		"made_by":     madeBy(),
		"leaves":      leafTexts,
		"roots":       roots,
		"inclusion":   inclusion,
		"consistency": consistency,
	}
}

// ---- notes ----

func seed(fill byte) []byte {
	return []byte(strings.Repeat(string(rune(fill)), ed25519.SeedSize))
}

func keyID(name string, typed []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), typed...))
	return binary.BigEndian.Uint32(sum[:])
}

// The signer of package note, from its text form.
func noteSigner(name string, secret []byte) note.Signer {
	public := ed25519.NewKeyFromSeed(secret).Public().(ed25519.PublicKey)
	hash := keyID(name, append([]byte{1}, public...))
	encoded := base64.StdEncoding.EncodeToString(append([]byte{1}, secret...))
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, hash, encoded))
	check(err)
	return signer
}

// Package note knows no cosignatures; they fit its interfaces.
type cosigner struct {
	name   string
	secret ed25519.PrivateKey
	time   uint64
}

func (c cosigner) typed() []byte {
	return append([]byte{4}, c.secret.Public().(ed25519.PublicKey)...)
}
func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return keyID(c.name, c.typed()) }
func (c cosigner) message(time uint64, text []byte) []byte {
	return append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", time)), text...)
}
func (c cosigner) Sign(text []byte) ([]byte, error) {
	stamp := make([]byte, 8)
	binary.BigEndian.PutUint64(stamp, c.time)
	return append(stamp, ed25519.Sign(c.secret, c.message(c.time, text))...), nil
}
func (c cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	message := c.message(binary.BigEndian.Uint64(signature), text)
	return ed25519.Verify(c.secret.Public().(ed25519.PublicKey), message, signature[8:])
}
func (c cosigner) vkey() string {
	encoded := base64.StdEncoding.EncodeToString(c.typed())
	return fmt.Sprintf("%s+%08x+%s", c.name, c.KeyHash(), encoded)
}

func witness() cosigner {
	return cosigner{witnessName, ed25519.NewKeyFromSeed(seed('w')), 1700000000}
}

func logKey() (note.Signer, note.Verifier, string) {
	public := ed25519.NewKeyFromSeed(seed('l')).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(logName, public)
	check(err)
	verifier, err := note.NewVerifier(vkey)
	check(err)
	return noteSigner(logName, seed('l')), verifier, vkey
}

func checkpoint(size int64, leaf string) string {
	return fmt.Sprintf("%s\n%d\n%s\n", logName, size, tlog.RecordHash([]byte(leaf)))
}

func notes() map[string]interface{} {
	signer, _, vkey := logKey()
	stranger := noteSigner("other.example/log", seed('s'))
	signed := []interface{}{}
	for _, text := range []string{
		checkpoint(1, "one"),
		checkpoint(9223372036854775807, "many"),
		checkpoint(7, "seven") + "an extension \u2014 of one line\n",
	} {
		for _, signers := range [][]note.Signer{
			{signer},
			{signer, witness()},
			{stranger, signer, witness()},
		} {
			message, err := note.Sign(&note.Note{Text: text}, signers...)
			check(err)
			names := []string{}
			for _, each := range signers {
				names = append(names, each.Name())
			}
			signed = append(signed, map[string]interface{}{
				"note": string(message), "signers": names, "text": text})
		}
	}
	return map[string]interface{}{
		"about": "Checkpoints that package note signed. Seeds are 32 times the letter; the " +
			"witness cosigned at 1700000000.",
		"made_by":      madeBy(),
		"log_vkey":     vkey,
		"witness_vkey": witness().vkey(),
		"seeds": map[string]string{
			logName: "l", witnessName: "w", "other.example/log": "s"},
		"signed": signed,
	}
}

// ---- what we made, and what we refuse, as Go sees it ----

type ours struct {
	Notes     map[string]string
	Inclusion []struct {
		Size, Index int64
		Root, Leaf  string
		Proof       []string
	}
	Consistency []struct {
		OldSize int64  `json:"old_size"`
		NewSize int64  `json:"new_size"`
		OldRoot string `json:"old_root"`
		NewRoot string `json:"new_root"`
		Proof   []string
	}
}

func hash(text string) (result tlog.Hash) {
	content, err := hex.DecodeString(text)
	check(err)
	if copy(result[:], content) != tlog.HashSize {
		check(errors.New("a hash of another length"))
	}
	return result
}

func hashes(texts []string) (all []tlog.Hash) {
	for _, text := range texts {
		all = append(all, hash(text))
	}
	return all
}

func verdicts() map[string]interface{} {
	var made ours
	read("ours.json", &made)
	_, verifier, _ := logKey()
	known := note.VerifierList(verifier, witness())
	opened := map[string][]string{}
	refused := map[string]string{}
	for name, message := range made.Notes {
		if result, err := note.Open([]byte(message), known); err != nil {
			refused[name] = err.Error()
		} else {
			opened[name] = []string{}
			for _, signature := range result.Sigs {
				opened[name] = append(opened[name], signature.Name)
			}
		}
	}
	for _, each := range made.Inclusion {
		check(tlog.CheckRecord(
			hashes(each.Proof), each.Size, hash(each.Root), each.Index, hash(each.Leaf)))
	}
	for _, each := range made.Consistency {
		check(tlog.CheckTree(
			hashes(each.Proof), each.NewSize, hash(each.NewRoot), each.OldSize, hash(each.OldRoot)))
	}
	content, err := os.ReadFile("ours.json")
	check(err)
	digest := sha256.Sum256(content)
	return map[string]interface{}{
		"about": "What note.Open says to each note of ours.json, and who it says signed; every " +
			"proof in that file passed tlog's CheckRecord or CheckTree.",
		"made_by":              madeBy(),
		"ours_sha256":          hex.EncodeToString(digest[:]),
		"opened":               opened,
		"refused":              refused,
		"inclusion_accepted":   len(made.Inclusion),
		"consistency_accepted": len(made.Consistency),
	}
}
