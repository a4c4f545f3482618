package mock

import (
	"slices"
	"testing"

	"weir/cmd/weir/internal/clients"
)

// The packages that people use read the mock's tool calls, run the tool, and
// get the text that follows.
func TestSDKsRunTools(t *testing.T) {
	s := Start(t, Config{})
	for _, c := range clients.All {
		if !c.Tools() {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			got := c.Run(t, clients.Case{Base: s.URL(), Case: "tool", Headers: map[string]string{
				"x-mock-tool": "weather", "x-mock-arguments": `{"city":"Ghent"}`, "x-mock-text": "It rains.",
			}})[0]
			if got.Text != "It rains." || !slices.Equal(got.Calls, []string{"weather"}) || got.Error != "" {
				t.Errorf("got %+v, want one call and the text", got)
			}
		})
	}
}
