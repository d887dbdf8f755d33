package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/journal"
)

// JournalJobs describes the jobs of a file to a journal.
func JournalJobs(f *config.File) []journal.JobInfo {
	jobs := make([]journal.JobInfo, len(f.Jobs))
	known := make(map[*config.Worker]string)
	for i, j := range f.Jobs {
		jobs[i] = journal.JobInfo{ID: j.ID, Kind: j.Kind.String()}
		if w := j.Worker; j.Kind == config.Task && w != nil && len(w.Command) > 0 {
			if _, ok := known[w]; !ok {
				known[w] = programDigest(f.Dir, w.Command)
			}
			jobs[i].Program = known[w]
		}
	}
	return jobs
}

// Changed lists the jobs whose worker program is not what it was in an earlier run.
func Changed(jobs []journal.JobInfo, past *journal.Past) (ids []string) {
	for _, j := range jobs {
		if before := past.Program(j.ID); before != "" && j.Program != "" && before != j.Program {
			ids = append(ids, j.ID)
		}
	}
	return ids
}

// programDigest digests the files that a worker's command line names: its program,
// and for an interpreter the script.
func programDigest(dir string, command []string) string {
	h := sha256.New()
	for i, word := range command {
		path := word
		if i == 0 && !strings.ContainsRune(word, '/') && !strings.ContainsRune(word, filepath.Separator) {
			path, _ = exec.LookPath(word)
		} else {
			path = resolve(dir, word)
		}
		f, err := os.Open(path)
		if err != nil {
			continue // a flag, or an argument that is no file
		}
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
			io.WriteString(h, word+"\x00")
			io.Copy(h, f)
		}
		f.Close()
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
