// The peer of the benchmark: maximum set-off as a minimum-cost circulation, solved by LEMON's cost scaling.
//
// Every obligation is an arc from debtor to creditor with its amount as capacity and cost -1; the flow is what is
// cleared. Reads `debtor,creditor,amount` with numbers and a header line, and prints one line of
// `total,build_cpu_s,run_cpu_s,peak_kib`: building counts from rows in memory to LEMON's own structures, running is
// CostScaling::run, and the peak is that of the whole process (VmHWM).
//
// Build: see docs/benchmarks.md, "Clearing".
#include <lemon/cost_scaling.h>
#include <lemon/smart_graph.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

namespace {

struct Row {
    std::uint32_t debtor, creditor;
    std::int64_t amount;
};

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

long peak_kib() {
    std::FILE* status = std::fopen("/proc/self/status", "r");
    char line[256];
    long kib = 0;
    while (status && std::fgets(line, sizeof line, status))
        if (std::strncmp(line, "VmHWM:", 6) == 0) kib = std::strtol(line + 6, nullptr, 10);
    if (status) std::fclose(status);
    return kib;
}

std::vector<Row> read(const char* path) {
    std::FILE* file = std::fopen(path, "r");
    if (!file) std::exit(1);
    char line[256];
    std::vector<Row> rows;
    if (!std::fgets(line, sizeof line, file)) std::exit(1);
    while (std::fgets(line, sizeof line, file)) {
        char* at = line;
        Row row{};
        row.debtor = std::uint32_t(std::strtoul(at, &at, 10));
        row.creditor = std::uint32_t(std::strtoul(at + 1, &at, 10));
        row.amount = std::strtoll(at + 1, &at, 10);
        rows.push_back(row);
    }
    std::fclose(file);
    return rows;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const std::vector<Row> rows = read(argv[1]);
    std::uint32_t parties = 0;
    for (const Row& row : rows) parties = std::max(parties, std::max(row.debtor, row.creditor) + 1);

    using Graph = lemon::SmartDigraph;
    const double start = cpu_seconds();
    Graph graph;
    graph.reserveNode(int(parties));
    graph.reserveArc(int(rows.size()));
    for (std::uint32_t party = 0; party < parties; ++party) graph.addNode();
    for (const Row& row : rows)
        graph.addArc(graph.nodeFromId(int(row.debtor)), graph.nodeFromId(int(row.creditor)));
    Graph::ArcMap<std::int64_t> upper(graph);
    for (std::size_t i = 0; i < rows.size(); ++i) upper[graph.arcFromId(int(i))] = rows[i].amount;
    lemon::ConstMap<Graph::Arc, std::int64_t> cost(-1);
    lemon::CostScaling<Graph, std::int64_t, std::int64_t> solver(graph);
    solver.upperMap(upper).costMap(cost);
    const double built = cpu_seconds();
    if (solver.run() != lemon::CostScaling<Graph, std::int64_t, std::int64_t>::OPTIMAL) return 1;
    std::int64_t total = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) total += solver.flow(graph.arcFromId(int(i)));
    const double done = cpu_seconds();
    std::printf("%lld,%.6f,%.6f,%ld\n", static_cast<long long>(total), built - start, done - built, peak_kib());
    return 0;
}
