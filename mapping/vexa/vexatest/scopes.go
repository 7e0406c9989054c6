package vexatest

// Which scopes open a route: any one of them is enough.
var (
	needBot     = []string{"bot"}
	needTx      = []string{"tx"}
	needEither  = []string{"bot", "tx"}
	needBrowser = []string{"bot", "browser"} // 0.10's /bots
	needNone    []string                     // any good key
)

// clientRoute is one route of the gateway for people's clients: what it needs, and who answers it.
type clientRoute struct {
	route  string // method and pattern
	scopes []string
	to     Part
	real   func(*Server, *call, validated) answer // nil for what the Admin API answers itself
}

// routes012 is the table of 0.12, which refuses what it does not declare. In the order of registration: a 405
// names the method of the first.
var routes012 = []clientRoute{
	{"GET /bots", needBot, MeetingAPI, (*Server).listBots},
	{"POST /bots", needBot, MeetingAPI, (*Server).createBot},
	{"GET /bots/status", needBot, MeetingAPI, (*Server).botsStatus},
	{"DELETE /bots/{platform}/{native_meeting_id}", needBot, MeetingAPI, (*Server).stopBot},
	{"PUT /bots/{platform}/{native_meeting_id}/config", needBot, MeetingAPI, (*Server).commandBot},
	{"POST /bots/{platform}/{native_meeting_id}/speak", needBot, MeetingAPI, (*Server).commandBot},
	{"GET /bots/{platform}/{native_meeting_id}/chat", needBot, MeetingAPI, (*Server).botChat},
	{"GET /meetings", needTx, MeetingAPI, (*Server).listMeetings},
	{"POST /meetings", needTx, MeetingAPI, (*Server).planMeeting},
	{"GET /meetings/{meeting_id:int}", needTx, MeetingAPI, (*Server).showMeeting},
	{"PATCH /meetings/{meeting_id:int}", needTx, MeetingAPI, (*Server).changeMeeting},
	{"DELETE /meetings/{meeting_id:int}", needTx, MeetingAPI, (*Server).deleteMeeting},
	{"PATCH /meetings/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).changeMeeting},
	{"DELETE /meetings/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).deleteMeeting},
	{"PUT /meetings/{platform}/{native_meeting_id}/intent", needTx, MeetingAPI, (*Server).changeMeeting},
	{"POST /meetings/{platform}/{native_meeting_id}/share", needTx, MeetingAPI, (*Server).shareMeeting},
	{"POST /meetings/{platform}/{native_meeting_id}/workspace", needTx, MeetingAPI, (*Server).changeMeeting},
	{"GET /transcripts/by-id/{meeting_id:int}", needTx, MeetingAPI, (*Server).transcriptByID},
	{"GET /transcripts/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).showTranscript},
	{"POST /transcripts/{platform}/{native_meeting_id}/share", needTx, MeetingAPI, (*Server).shareMeeting},
	{"POST /transcripts/share/accept", needTx, MeetingAPI, (*Server).acceptShare},
	{"GET /recordings", needEither, MeetingAPI, (*Server).listRecordings},
	{"GET /recordings/{recording_id}", needEither, MeetingAPI, (*Server).showRecording},
	{"DELETE /recordings/{recording_id}", needBot, MeetingAPI, (*Server).deleteRecording},
	{"GET /recordings/{recording_id}/master", needEither, MeetingAPI, (*Server).recordingMedia},
	{"GET /recordings/{recording_id}/media/{media_id}/raw", needEither, MeetingAPI, (*Server).recordingMedia},
	{
		"GET /recordings/{recording_id}/media/{media_id}/download", needEither, MeetingAPI,
		(*Server).recordingDownload,
	},
	{"GET /user/calendar", needBot, AdminAPI, nil},
	{"PUT /user/calendar", needBot, AdminAPI, nil},
	{"GET /user/calendar/sync", needBot, MeetingAPI, (*Server).calendarSync},
	{"POST /user/calendar/sync", needBot, MeetingAPI, (*Server).calendarSync},
	{"GET /user/calendars", needBot, AdminAPI, nil},
	{"POST /user/calendars", needBot, AdminAPI, nil},
	{"PATCH /user/calendars/{calendar_id}", needBot, AdminAPI, nil},
	{"DELETE /user/calendars/{calendar_id}", needBot, AdminAPI, nil},
	{"GET /user/calendars/{calendar_id}/sync", needBot, MeetingAPI, (*Server).calendarSync},
	{"POST /user/calendars/{calendar_id}/sync", needBot, MeetingAPI, (*Server).calendarSync},
	{"GET /user/webhook", needEither, AdminAPI, nil},
	{"PUT /user/webhook", needEither, AdminAPI, nil},
	{"GET /user/webhook/deliveries", needEither, AdminAPI, nil},
	{"GET /user/models", needEither, AdminAPI, nil},
	{"PUT /user/models", needEither, AdminAPI, nil},
	{"GET /user/transcription", needEither, AdminAPI, nil},
	{"PUT /user/transcription", needEither, AdminAPI, nil},
}

// routes010 is the table of 0.10: much of it asks only for a good key.
var routes010 = []clientRoute{
	{"GET /bots", needBrowser, MeetingAPI, (*Server).listBots},
	{"POST /bots", needBrowser, MeetingAPI, (*Server).createBot},
	{"GET /bots/status", needBrowser, MeetingAPI, (*Server).botsStatus},
	{"DELETE /bots/{platform}/{native_meeting_id}", needBrowser, MeetingAPI, (*Server).stopBot},
	{"PUT /bots/{platform}/{native_meeting_id}/config", needBrowser, MeetingAPI, (*Server).commandBot},
	{"POST /bots/{platform}/{native_meeting_id}/speak", needBrowser, MeetingAPI, (*Server).commandBot},
	{"DELETE /bots/{platform}/{native_meeting_id}/speak", needBrowser, MeetingAPI, (*Server).commandBot},
	{"POST /bots/{platform}/{native_meeting_id}/chat", needBrowser, MeetingAPI, (*Server).commandBot},
	{"GET /bots/{platform}/{native_meeting_id}/chat", needBrowser, MeetingAPI, (*Server).botChat},
	{"POST /bots/{platform}/{native_meeting_id}/screen", needBrowser, MeetingAPI, (*Server).commandBot},
	{"DELETE /bots/{platform}/{native_meeting_id}/screen", needBrowser, MeetingAPI, (*Server).commandBot},
	{"PUT /bots/{platform}/{native_meeting_id}/avatar", needBrowser, MeetingAPI, (*Server).commandBot},
	{"DELETE /bots/{platform}/{native_meeting_id}/avatar", needBrowser, MeetingAPI, (*Server).commandBot},
	{"GET /meetings", needTx, MeetingAPI, (*Server).listMeetings},
	{"GET /meetings/{meeting_id:int}", needTx, MeetingAPI, (*Server).showMeeting},
	{"PATCH /meetings/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).changeMeeting},
	{"DELETE /meetings/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).deleteMeeting},
	{"GET /transcripts/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).showTranscript},
	{"POST /transcripts/{platform}/{native_meeting_id}/share", needNone, MeetingAPI, (*Server).shareMeeting},
	{"GET /recordings", needNone, MeetingAPI, (*Server).listRecordings},
	{"GET /recordings/{recording_id}", needNone, MeetingAPI, (*Server).showRecording},
	{"DELETE /recordings/{recording_id}", needNone, MeetingAPI, (*Server).deleteRecording},
	{"GET /recordings/{recording_id}/media/{media_id}/raw", needNone, MeetingAPI, (*Server).recordingMedia},
	{
		"GET /recordings/{recording_id}/media/{media_id}/download", needNone, MeetingAPI,
		(*Server).recordingDownload,
	},
	{"GET /recording-config", needNone, MeetingAPI, (*Server).recordingConfig},
	{"PUT /recording-config", needNone, MeetingAPI, (*Server).putRecordingConfig},
	{"GET /calendar/status", needNone, MeetingAPI, (*Server).calendarSync},
	{"PUT /user/webhook", needBot, AdminAPI, nil},
	{"PUT /user/workspace-git", needBot, AdminAPI, nil},
	{"GET /api/sessions", needNone, AgentAPI, (*Server).agentSessions},
}
