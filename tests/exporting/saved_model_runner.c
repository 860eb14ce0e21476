/* Runs one signature of a SavedModel through TensorFlow's C API:
   runner MODEL INPUT OUTPUT DTYPE FILE_IN FILE_OUT SIDE...   with tensor names such as serving_default_frames:0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tensorflow/c/c_api.h"

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
  size_t bytes = TF_DataTypeSize(type);
  for (int i = 0; i < rank; i++) bytes *= sides[i];
  TF_Tensor* input = TF_AllocateTensor(type, sides, rank, bytes);
  FILE* file = fopen(given[5], "rb");
  if (!file || fread(TF_TensorData(input), 1, bytes, file) != bytes) return 3;
  fclose(file);

  TF_Output in = find(graph, given[2]), out = find(graph, given[3]);
  TF_Tensor* output = NULL;
  TF_SessionRun(session, NULL, &in, &input, 1, &out, &output, 1, NULL, 0, NULL, status);
  check(status);
  file = fopen(given[6], "wb");
  if (!file || fwrite(TF_TensorData(output), 1, TF_TensorByteSize(output), file) != TF_TensorByteSize(output)) return 4;
  return fclose(file) ? 5 : 0;
}
