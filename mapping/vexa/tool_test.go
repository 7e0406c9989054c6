package vexa_test

import (
	"fmt"
	"strings"
	"testing"

	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
)

var generations = []string{vexa.Gen012, vexa.Gen010}

// S14: what a tool calls is in the route table of its generation, and is what the service was seen to call.
func TestToolsCallKnownRoutes(t *testing.T) {
	t.Parallel()
	arguments := map[string][]byte{
		"meeting_platform": []byte(`"google_meet"`), "meeting_id": []byte(`"abc-defg-hij"`),
		"recording_id": []byte("17"), "media_file_id": []byte(`"3"`),
		"include_media_download_urls": []byte("true"),
	}
	for _, generation := range generations {
		table := vexa.Routes(generation)
		for _, tool := range table.Tools() {
			requests, err := tool.Requests(arguments)
			if err != nil {
				t.Errorf("%s %s: %v", generation, tool.Name, err)
			}
			for _, rq := range requests {
				if _, ok := table.Lookup(rq.Method, rq.Path); !ok {
					t.Errorf("%s %s calls %s %s, which is no route",
						generation, tool.Name, rq.Method, rq.Path)
				}
			}
		}
	}
}

// S14: the table has the tools that the service lists, neither more nor fewer.
func TestToolsAreThoseOfTheService(t *testing.T) {
	t.Parallel()
	for _, generation := range generations {
		s := vexatest.Start(t, vexatest.Generation(generation))
		listed := map[string]bool{}
		for _, name := range s.ToolNames() {
			listed[name] = true
			if _, ok := vexa.Routes(generation).Tool(name); !ok {
				t.Errorf("%s: %s is not in the table", generation, name)
			}
		}
		for _, tool := range vexa.Routes(generation).Tools() {
			if !listed[tool.Name] {
				t.Errorf("%s has no tool %s", generation, tool.Name)
			}
		}
	}
}

// S14: an argument that becomes part of a path is one segment, and can be read in one way only.
func TestToolArguments(t *testing.T) {
	t.Parallel()
	table := vexa.Routes(vexa.Gen010)
	for _, tc := range []struct{ tool, arguments, want string }{
		{"delete_recording", `recording_id=7`, "DELETE /recordings/7"},
		{"delete_recording", `recording_id="7"`, "DELETE /recordings/7"},
		{"delete_recording", `recording_id=9007199254740993`, "DELETE /recordings/9007199254740993"},
		{"delete_recording", ``, ""},
		{"delete_recording", `recording_id=07`, ""},
		{"delete_recording", `recording_id="07"`, ""},
		{"delete_recording", `recording_id=7.0`, ""},
		{"delete_recording", `recording_id=7e1`, ""},
		{"delete_recording", `recording_id=-7`, ""},
		{"delete_recording", `recording_id="+7"`, ""},
		{"delete_recording", `recording_id="1_0"`, ""},
		{"delete_recording", `recording_id="７"`, ""},
		{"delete_recording", `recording_id=null`, ""},
		{"delete_recording", `recording_id=true`, ""},
		{"delete_recording", `recording_id=[7]`, ""},
		{"delete_recording", `recording_id="7/media/1"`, ""},
		{"stop_bot", `meeting_platform="teams" meeting_id=9361792952021`, "DELETE /bots/teams/9361792952021"},
		{"stop_bot", `meeting_platform="jitsi" meeting_id="room@meet.example"`, "DELETE /bots/jitsi/room@meet.example"},
		{"stop_bot", `meeting_platform="google_meet"`, ""},
		{"stop_bot", `meeting_platform="google_meet" meeting_id="x/config"`, ""},
		{"stop_bot", `meeting_platform=".." meeting_id="x"`, ""},
		{"stop_bot", `meeting_platform="google_meet" meeting_id="%2e%2e"`, ""},
		{"stop_bot", `meeting_platform="google_meet" meeting_id="x?y"`, ""},
		{"stop_bot", `meeting_platform="google_meet" meeting_id="x#y"`, ""},
		{"stop_bot", `meeting_platform="google_meet" meeting_id="x\\y"`, ""},
		{"stop_bot", `meeting_platform="google_meet" meeting_id=""`, ""},
		{
			"get_meeting_bundle", `meeting_platform="teams" meeting_id="x"`,
			"GET /transcripts/teams/x, GET /recordings, POST /transcripts/teams/x/share",
		},
		{
			"get_meeting_bundle",
			`meeting_platform="teams" meeting_id="x" include_recordings=false include_share_link=false`,
			"GET /transcripts/teams/x",
		},
		{
			"get_meeting_bundle",
			`meeting_platform="teams" meeting_id="x" include_recordings=false include_share_link="no"`,
			"GET /transcripts/teams/x, POST /transcripts/teams/x/share",
		},
		{
			"get_meeting_bundle", `meeting_platform="teams" meeting_id="x" include_media_download_urls=1`,
			"GET /transcripts/teams/x, GET /recordings, GET /recordings/{}/media/{}/download, " +
				"POST /transcripts/teams/x/share",
		},
	} {
		tool, _ := table.Tool(tc.tool)
		arguments := map[string][]byte{}
		for _, one := range strings.Fields(tc.arguments) {
			name, value, _ := strings.Cut(one, "=")
			arguments[name] = []byte(value)
		}
		requests, err := tool.Requests(arguments)
		var got []string
		for _, rq := range requests {
			got = append(got, fmt.Sprint(rq.Method, " ", rq.Path))
		}
		if strings.Join(got, ", ") != tc.want || (err != nil) != (tc.want == "") {
			t.Errorf("%s %s: %q, %v", tc.tool, tc.arguments, got, err)
		}
	}
}
