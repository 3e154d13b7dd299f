// Ancestral sampling with a denoiser, σ from 20 to 0.02 and then 0; the state is given at σ = 20.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

using Numbers = std::vector<double>;

static Numbers after(const std::string& line, const std::string& key) {
    Numbers found;
    size_t at = line.find("\"" + key + "\"");
    at = line.find('[', at) + 1;
    const char* p = line.c_str() + at;
    while (*p && *p != ']') {
        char* end;
        found.push_back(std::strtod(p, &end));
        p = end;
        while (*p == ',' || *p == ' ') ++p;
    }
    return found;
}

static void put(const std::string& key, const Numbers& values) {
    std::cout << "{\"" << key << "\": [";
    for (size_t i = 0; i < values.size(); ++i) std::cout << (i ? ", " : "") << values[i];
    std::cout << "]";
}

static std::string line() {
    std::string text;
    std::getline(std::cin, text);
    return text;
}

int main(int argc, char** argv) {
    std::cout.precision(17);
    const int steps = std::atoi(argv[1]);
    const double noise = argc > 2 ? std::atof(argv[2]) : 1.0;  // 1 is right
    Numbers x = after(line(), "state");
    for (int i = 0; i < steps; ++i) {
        const double s = 20 * std::pow(1e-3, steps > 1 ? double(i) / (steps - 1) : 0.0);
        const double t = i + 1 < steps ? 20 * std::pow(1e-3, double(i + 1) / (steps - 1)) : 0.0;
        put("model", x);
        std::cout << ", \"time\": " << s << "}" << std::endl;
        const Numbers d = after(line(), "output");
        Numbers xi(x.size(), 0.0);
        if (t > 0) {
            std::cout << "{\"normal\": " << x.size() << "}" << std::endl;
            xi = after(line(), "normal");
        }
        const double down = t * t / (s * s), up = noise * t * std::sqrt(1 - down);
        for (size_t k = 0; k < x.size(); ++k) x[k] = d[k] + down * (x[k] - d[k]) + up * xi[k];
    }
    put("sample", x);
    std::cout << "}" << std::endl;
}
