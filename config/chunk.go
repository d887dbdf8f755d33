package config

import "go.yaml.in/yaml/v3"

// Chunk is how many items one instance takes. The zero value is one, as `item`;
// otherwise they are `items`, however many there are.
type Chunk struct {
	Size int  // at most; 0: not given
	Auto bool // as many as keep an instance busy for a while, and fit
}

// Given reports whether the job takes items by chunks.
func (c Chunk) Given() bool { return c.Auto || c.Size > 0 }

func readChunk(c *checker, n *yaml.Node, d *draft) {
	switch {
	case c.bad[n]:
	case n.Kind == yaml.ScalarNode && n.Value == "auto":
		d.Chunk = Chunk{Auto: true}
	case n.Kind == yaml.ScalarNode && scalarValue(n).typ == Text:
		c.failNode(n, "", "chunk is a number of items or auto, not %s", quote(n.Value))
	default:
		if size, ok := c.positive(n, "chunk"); ok {
			d.Chunk = Chunk{Size: size}
		}
	}
}

// fitChunk drops the chunks of defaults where there are no items, and refuses
// the job's own.
func (c *checker) fitChunk(n *yaml.Node, j *Job) {
	if j.Foreach != nil {
		return
	}
	if k := keyNode(n, "chunk"); k != nil && j.Chunk.Given() {
		c.failNode(k, "", "chunk wants items: foreach is missing")
	}
	j.Chunk = Chunk{}
}
