// A group that records: what whoever protects it, or takes checkpoints of it, works with. All of it outlives them.
#pragma once
#include "blob_store.h"
#include "memory_file.h"
#include "namespaces.h"
#include "pump.h"
#include "warden.h"

namespace understudy::host {

struct RunningGroup {
  Warden& warden;
  Pump& pump;
  BlobStore& blobs;
  std::string journal_dir, agent_path;
  uint64_t epoch;
  int output;  // the descriptor that it has been given as its standard output and error
};

}  // namespace understudy::host
