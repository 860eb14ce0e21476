/* Runs one signature of a SavedModel through TensorFlow's C API:
   runner MODEL INPUT OUTPUT DTYPE FILE_IN FILE_OUT SIDE...   with tensor names such as serving_default_frames:0
   For DTYPE 7, a row of strings, the files hold one after the other: the lengths are given in place of the sides, and
   those of the answer are printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

static void check(TF_Status* status) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s\n", TF_Message(status));
  exit(1);
}

static TF_Output find(TF_Graph* graph, char* name) {
  char* colon = strchr(name, ':');
  TF_Output output = {NULL, colon ? atoi(colon + 1) : 0};
  if (colon) *colon = 0;
  output.oper = TF_GraphOperationByName(graph, name);
  if (output.oper) return output;
  fprintf(stderr, "no operation called %s\n", name);
  exit(1);
}

static int read_strings(FILE* file, TF_TString* strings, const int64_t* lengths, int count) {
  for (int i = 0; i < count; i++) {
    char* bytes = malloc(lengths[i]);
    if (!bytes || fread(bytes, 1, lengths[i], file) != (size_t)lengths[i]) return 0;
    TF_StringInit(&strings[i]);
    TF_StringCopy(&strings[i], bytes, lengths[i]);
    free(bytes);
  }
  return 1;
}

static int write_strings(FILE* file, const TF_TString* strings, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    size_t length = TF_StringGetSize(&strings[i]);
    if (fwrite(TF_StringGetDataPointer(&strings[i]), 1, length, file) != length) return 0;
    printf("%zu\n", length);
  }
  return 1;
}

int main(int count, char** given) {
  if (count < 8) return 2;
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(options, NULL, given[1], tags, 1, graph, NULL, status);
  check(status);

  int64_t sides[8];
  int rank = count - 7;
  for (int i = 0; i < rank; i++) sides[i] = atoll(given[7 + i]);
  TF_DataType type = (TF_DataType)atoi(given[4]);
  int text = type == TF_STRING;
  int64_t strings[] = {rank};
  size_t bytes = text ? rank * sizeof(TF_TString) : TF_DataTypeSize(type);
  for (int i = 0; i < rank && !text; i++) bytes *= sides[i];
  TF_Tensor* input = TF_AllocateTensor(type, text ? strings : sides, text ? 1 : rank, bytes);
  FILE* file = fopen(given[5], "rb");
  if (!file) return 3;
  if (text ? !read_strings(file, TF_TensorData(input), sides, rank)
           : fread(TF_TensorData(input), 1, bytes, file) != bytes) return 3;
  fclose(file);

  TF_Output in = find(graph, given[2]), out = find(graph, given[3]);
  TF_Tensor* output = NULL;
  TF_SessionRun(session, NULL, &in, &input, 1, &out, &output, 1, NULL, 0, NULL, status);
  check(status);
  file = fopen(given[6], "wb");
  bytes = TF_TensorByteSize(output);
  if (!file) return 4;
  if (text ? !write_strings(file, TF_TensorData(output), TF_TensorElementCount(output))
           : fwrite(TF_TensorData(output), 1, bytes, file) != bytes) return 4;
  return fclose(file) ? 5 : 0;
}
