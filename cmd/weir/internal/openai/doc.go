// Package openai reads and writes the OpenAI chat dialect as bytes: requests
// in, chunks, completions, model lists and errors out. It does no I/O and knows
// nothing of HTTP but status codes.
//
// A streamed response is
//
//	data: {…"delta":{"role":"assistant","content":""}…}   AppendRole
//	data: {…"delta":{"content":"Hello"}…}                 AppendContent, for each token
//	data: {…"delta":{},…"finish_reason":"stop"}           AppendFinish
//	data: {…"choices":[],"usage":{…}}                     AppendUsage, if requested
//	data: [DONE]                                          AppendDone
//
// each with an empty line behind it. Unknown request fields are ignored, as
// vLLM and llama.cpp do: clients send many that a small model has no use for.
package openai
